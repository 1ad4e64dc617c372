// kinesis-local on 127.0.0.1 alone: by itself it listens on every address, and has no option for that.
//
// Node.js loads this first. It takes a port, 0 for one that is free. Once kinesis-local answers there, its number
// is written to standard output, and nothing else ever. The process ends with its standard input, and so with
// whoever started it.
"use strict";

const fs = require("node:fs");
const net = require("node:net");

// What kinesis-local takes for its ports are the names by which one of its servers is told from the other.
const PLAIN = 1;
const TLS = 2;
process.env.KINESIS_MOCK_PLAIN_PORT = PLAIN;
process.env.KINESIS_MOCK_TLS_PORT = TLS;

const HOST = "127.0.0.1";
const port = Number(process.argv[2]);
const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (name, ...others) {
  const listening = others.pop();
  if (name === TLS) {
    // Nobody asks for it, and a second port might be taken: it is never opened, and does not know it.
    this.address = () => ({ address: HOST, family: "IPv4", port: TLS });
    process.nextTick(listening);
    return this;
  }
  return listen.call(this, port, HOST, () => {
    fs.writeSync(1, `${this.address().port}\n`);
    listening();
  });
};

process.stdout.write = process.stderr.write.bind(process.stderr);
// kinesis-local will replace it by one that waits until its connections are closed.
const { exit } = process;
process.stdin.on("close", () => exit.call(process)).resume();
