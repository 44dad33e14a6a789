// Numbers as people read them, as reports/basics/units.py writes them.

export const NONE = "\u2013";

// Three significant digits, but every digit before the decimal point: 0.42, 12.3, 1,180.
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(3));
  const decimals = Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded)))));
  // toFixed looks at the number itself, toLocaleString at its shortest decimal form: 1.005 is a little less than that.
  return Number(value.toFixed(decimals)).toLocaleString("en", { minimumFractionDigits: decimals });
}

export const count = (value) => value.toLocaleString("en");

export const percent = (ratio) => (ratio === null ? NONE : (100 * ratio).toFixed(1).replace(/\.0$/, ""));

// 75 as 1:15, 3675 as 1:01:15.
export function clock(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)];
  const two = (part) => String(part).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
