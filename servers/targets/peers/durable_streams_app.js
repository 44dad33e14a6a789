// The reference server of Durable Streams, in memory, as its README starts it. node durable_streams_app.js PORT
const { join } = require("path");

// It is an ES module, which NODE_PATH is not for.
import(join(process.env.NODE_PATH, "@durable-streams/server/dist/index.js")).then(({ DurableStreamTestServer }) =>
  new DurableStreamTestServer({ host: "127.0.0.1", port: Number(process.argv[2]) }).start(),
);
