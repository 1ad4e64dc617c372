/**
 * Runs the peer for the benchmark. Reads the records from the file in its first argument, then one line
 * per run from standard input, and answers each with one line:
 *
 *     {"size": RECORDS IN A BATCH, "withLimits": WHETHER TO RETURN THE LIMITS}
 *     {"seconds": TAKEN BY ALL BATCHES, "limits": [[user id, limit id, progress, value, version], …]}
 */
"use strict";

const { openSync, readFileSync } = require("node:fs");
const readline = require("node:readline");

const pino = require("pino");

const { makeHandler } = require("./handler.cjs");

const records = JSON.parse(readFileSync(process.argv[2], "utf8"));
const nowhere = pino.destination({ dest: openSync("/dev/null", "w"), sync: true });

/** Pass the records to a new handler, in batches. The clock runs from the first to the last. */
async function run({ size, withLimits }) {
  const batches = [];
  for (let start = 0; start < records.length; start += size) {
    batches.push({ Records: records.slice(start, start + size) });
  }
  const limits = new Map();
  const handler = makeHandler(limits, nowhere);
  let failed = 0;
  global.gc(); // otherwise each run would also pay for the garbage of the one before
  const begun = process.hrtime.bigint();
  for (const batch of batches) {
    const answer = await handler(batch, { awsRequestId: "benchmark" });
    failed += answer.batchItemFailures.length;
  }
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  if (failed) throw new Error(`${failed} records failed`);
  return { seconds, limits: withLimits ? [...limits.values()].map(row) : [] };
}

const row = (limit) => [
  limit.userId, limit.limitId, limit.progress.toFixed(2), limit.value.toFixed(2), limit.version,
];

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
  }
}

main();
