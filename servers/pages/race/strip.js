/**
 * Draws what one lane received over the last seconds. Time runs to the right and ends now. A message is a dot where it
 * arrived, with a tail back to the instant at which it was due: the length of the tail is the latency. A message that
 * others have and this lane has not is a tail that still grows. Ticks at the foot are requests, the faint ones came
 * back empty. The height of a dot is its id's, the same in every lane, so that the eye can follow one message down.
 */
const ROWS = 5;
const REQUEST_PX = 5;

export class Strip {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  /**
   * nowMs: the right edge; spanMs: how much fits. marks: [{id, dueMs, arrivedMs}], arrivedMs undefined while it waits;
   * requests: [{atMs, empty}]. colour and grid: CSS colours.
   */
  draw({ nowMs, spanMs, marks, requests, colour, grid }) {
    const { context, canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const right = width - 5; // room for the newest dot
    const x = (ms) => right - ((nowMs - ms) / spanMs) * right;
    const foot = requests.length || this.hadRequests ? height - REQUEST_PX - 3 : height;
    this.hadRequests ||= requests.length > 0;
    const y = (id) => 6 + ((id % ROWS) / (ROWS - 1)) * (foot - 12);

    this.#seconds(x, nowMs, spanMs, height, grid);
    context.fillStyle = context.strokeStyle = colour;
    for (const { atMs, empty } of requests) {
      context.globalAlpha = empty ? 0.35 : 1;
      context.fillRect(x(atMs) - 0.75, height - REQUEST_PX, 1.5, REQUEST_PX);
    }
    context.lineWidth = 2;
    context.lineCap = "round";
    for (const { id, dueMs, arrivedMs } of marks) {
      const from = Math.max(x(dueMs), -4);
      const until = x(arrivedMs ?? nowMs);
      context.globalAlpha = arrivedMs === undefined ? 0.25 : 0.4;
      context.beginPath();
      context.moveTo(from, y(id));
      context.lineTo(until, y(id));
      context.stroke();
      if (arrivedMs === undefined) continue;
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(until, y(id), 3.2, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  /** A faint line every two seconds of the server's clock, so that lanes can be compared across. */
  #seconds(x, nowMs, spanMs, height, grid) {
    this.context.fillStyle = grid;
    for (let ms = Math.floor(nowMs / 2000) * 2000; ms > nowMs - spanMs; ms -= 2000) {
      this.context.fillRect(Math.round(x(ms)), 0, 1, height);
    }
  }
}
