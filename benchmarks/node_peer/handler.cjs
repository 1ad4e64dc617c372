/**
 * The peer: the same projection as a Node Lambda function, on the stack that such functions are often written in.
 *
 * yup validates each event, pino writes the log, a Map stores the limits. The peer leaves out what the measured
 * stream does not need, and is faster for it: KPL records and gzipped records, holding back events after a
 * failure, the deadline, remarks, and a repository with its conflicts. It counts in binary floating point.
 */
"use strict";

const pino = require("pino");
const yup = require("yup");

const LIMIT_TYPES = ["BALANCE", "BET", "DEPOSIT", "LOSS", "SESSION"];
const PERIODS = [
  "CALENDAR_DAY", "CALENDAR_WEEK", "CALENDAR_MONTH", "DAY", "WEEK", "MONTH", "INDEFINITE", "INSTANCE",
];
const STATUSES = ["ACTIVE", "CANCELED", "FUTURE", "IN_COOLDOWN"];

const ids = {
  userId: yup.string().required(),
  userLimitId: yup.string().required(),
  nextResetTime: yup.number().integer(),
  brandId: yup.string(),
  currencyCode: yup.string(),
};
const envelope = (payload) =>
  yup.object({
    eventId: yup.string().required(),
    type: yup.string().required(),
    createdAt: yup.number().integer().required(),
    sequenceNumber: yup.number().integer().min(0).required(),
    aggregateId: yup.string(),
    source: yup.string(),
    context: yup.object({ correlationId: yup.string() }),
    payload: yup.object({ ...ids, ...payload }).required(),
  });
const SCHEMAS = {
  USER_LIMIT_CREATED: envelope({
    value: yup.number().min(0).required(),
    name: yup.string(),
    type: yup.string().oneOf(LIMIT_TYPES),
    period: yup.string().oneOf(PERIODS),
    status: yup.string().oneOf(STATUSES).default("ACTIVE"),
    activeFrom: yup.number().integer(),
    activeUntil: yup.number().integer(),
    previousLimitValue: yup.number(),
    progress: yup.number(),
  }),
  USER_LIMIT_PROGRESS_CHANGED: envelope({
    amount: yup.number().required(),
    previousProgress: yup.number(),
    remainingAmount: yup.number(),
  }),
};

const APPLY = {
  USER_LIMIT_CREATED: (limit, { payload, createdAt }) => ({
    ...limit,
    userId: payload.userId,
    limitId: payload.userLimitId,
    value: payload.value,
    progress: payload.progress ?? limit?.progress ?? 0,
    status: payload.status,
    activeFrom: payload.activeFrom ?? createdAt,
    activeUntil: payload.activeUntil,
    nextResetTime: payload.nextResetTime,
    type: payload.type ?? limit?.type,
    period: payload.period,
    name: payload.name,
    brandId: payload.brandId ?? limit?.brandId,
    currencyCode: payload.currencyCode ?? limit?.currencyCode,
  }),

  USER_LIMIT_PROGRESS_CHANGED: (limit, { payload, createdAt }) => {
    if (!limit) throw new Error("the limit is not known");
    const before = payload.previousProgress ?? limit.progress;
    const progress = before + payload.amount;
    const value = payload.remainingAmount === undefined ? limit.value : progress + payload.remainingAmount;
    const drifted = differ(before, limit.progress) || differ(value, limit.value);
    return {
      ...limit,
      progress,
      value,
      driftedAt: drifted ? createdAt : limit.driftedAt,
      nextResetTime: payload.nextResetTime ?? limit.nextResetTime,
    };
  },
};

/** Return whether amounts differ by more than the error of binary floating point. */
const differ = (one, other) => Math.abs(one - other) > 1e-6;

/** Make a Lambda handler that stores limits in a Map. `destination` receives its log. */
function makeHandler(limits, destination) {
  const log = pino({ level: "info", base: { service: "user-limits" } }, destination);

  return async (invocation, context) => {
    const begun = process.hrtime.bigint();
    const requestLog = log.child({ requestId: context.awsRequestId });
    const counts = { applied: 0, ignored: 0, duplicate: 0, failed: 0 };
    const batchItemFailures = [];
    for (const record of invocation.Records) {
      try {
        counts[handleRecord(limits, record, requestLog)] += 1;
      } catch (error) {
        counts.failed += 1;
        requestLog.error({ sequenceNumber: record.kinesis.sequenceNumber, err: error }, "record failed");
        batchItemFailures.push({ itemIdentifier: record.kinesis.sequenceNumber });
      }
    }
    const durationMs = Number(process.hrtime.bigint() - begun) / 1e6;
    requestLog.info({ records: invocation.Records.length, ...counts, durationMs }, "batch handled");
    return { batchItemFailures };
  };
}

function handleRecord(limits, record, log) {
  const raw = JSON.parse(Buffer.from(record.kinesis.data, "base64").toString("utf8"));
  const schema = SCHEMAS[raw.type];
  if (!schema) {
    log.debug({ eventId: raw.eventId, type: raw.type }, "ignored");
    return "ignored";
  }
  // Without promises, and with the first error only: the faster mode of yup.
  const event = schema.validateSync(raw);
  const { payload, sequenceNumber } = event;
  const key = `${payload.userId}/${payload.userLimitId}`;
  const limit = limits.get(key);
  if (limit && sequenceNumber <= limit.sequenceNumber) return "duplicate";
  if (limit?.currencyCode && payload.currencyCode && limit.currencyCode !== payload.currencyCode) {
    throw new Error("the event is in another currency than the limit");
  }
  const after = APPLY[event.type](limit, event);
  after.sequenceNumber = sequenceNumber;
  after.version = (limit?.version ?? 0) + 1;
  limits.set(key, after);
  log.debug({ eventId: event.eventId, type: event.type }, "applied");
  return "applied";
}

module.exports = { makeHandler };
