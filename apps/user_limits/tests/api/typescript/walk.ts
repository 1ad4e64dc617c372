// Reads an API with the client of the page for front ends, and prints what it saw: test_typescript.py judges.
import { allLimits, ApiError, connect, readLimit, type Limit } from "./limits";

declare const process: { argv: string[] };

const baseUrl = process.argv[2] ?? "";
const api = connect(baseUrl);

const limits: Limit[] = [];
for await (const each of allLimits(api, "usr_456")) limits.push(each);

const first = await readLimit(api, "usr_456", "0000");
const again = await readLimit(api, "usr_456", "0000", first);
const amount: string = first.answer.data.amount;
const version: number = first.answer.meta.version;

const missing = await readLimit(api, "usr_456", "none").catch((error: unknown) => error);
if (!(missing instanceof ApiError) || missing.problem === undefined) throw new Error("that is there");
const code: "no-such-limit" | "another" = missing.problem.code === "no-such-limit" ? missing.problem.code : "another";

const active = await api.GET("/api/v1/users/{userId}/limits/active", {
  params: { path: { userId: "usr_456" }, query: { type: "BET", period: "WEEKLY", limit: 2 } },
});
const activity = await api.GET("/api/v1/users/{userId}/limits/{limitId}/activity", {
  params: {
    path: { userId: "usr_456", limitId: "lmt_123" },
    query: { amounts: "string" },
    header: { "X-Correlation-Id": "shop-7" },
  },
});
for (const change of activity.data?.data.changes ?? []) {
  // @ts-expect-error - no change is of this kind
  if (change.kind === "CREDITED") throw new Error(change.kind);
}

// @ts-expect-error - there is no such type of limit
const wrongType = await api.GET("/api/v1/users/{userId}/limits/active", { params: { path: { userId: "a" }, query: { type: "WIN" } } });
// @ts-expect-error - a path needs its user
const noUser = () => api.GET("/api/v1/users/{userId}/limits", { params: { path: {} } });
// @ts-expect-error - a string is no number
const notExact: number = first.answer.data.amount;
// @ts-expect-error - the API can only be read
const noWrites = () => api.POST("/api/v1/users/{userId}/limits", {});

console.log(
  JSON.stringify({
    ids: limits.map((each) => each.limitId),
    amounts: limits.map((each) => each.amount),
    percentages: limits.map((each) => each.percentage),
    amount,
    version,
    tag: first.tag,
    sameAnswer: again === first,
    code,
    message: missing.message,
    status: missing.status,
    correlationId: missing.correlationId,
    active: active.data?.data.map((each) => each.limitId),
    link: active.response.headers.get("Link"),
    wrongType: wrongType.error?.code,
    allowed: wrongType.error?.allowed,
    changes: activity.data?.data.changes.map((each) => each.amount),
    repeated: activity.response.headers.get("X-Correlation-Id"),
    unused: [typeof noUser, typeof notExact, typeof noWrites].length,
  }),
);
