/** What a limit is called, how far it is used, and where it stands among others. Pure. */

export const NEAR = 80; // percent

const TYPES = new Map([
  ["DEPOSIT", { things: "deposits", kind: "Deposit limit" }],
  ["LOSS", { things: "losses", kind: "Loss limit" }],
  ["BET", { things: "bets", kind: "Bet limit" }],
  ["SESSION", { things: "playing time", kind: "Session limit" }],
  ["BALANCE", { things: "balance", kind: "Balance limit" }],
]);

const PERIODS = new Map([
  ["INSTANCE", { adjective: "", span: "each time" }],
  ["DAILY", { adjective: "daily", span: "24 hours" }],
  ["CALENDAR_DAILY", { adjective: "daily", span: "calendar day" }],
  ["WEEKLY", { adjective: "weekly", span: "7 days" }],
  ["CALENDAR_WEEKLY", { adjective: "weekly", span: "calendar week" }],
  ["MONTHLY", { adjective: "monthly", span: "one month" }],
  ["CALENDAR_MONTHLY", { adjective: "monthly", span: "calendar month" }],
  ["INDEFINITE", { adjective: "", span: "no end" }],
]);

const STATUSES = new Map([
  ["ACTIVE", "Active"],
  ["IN_COOLDOWN", "In cooldown"],
  ["FUTURE", "Not yet active"],
  ["CANCELED", "Canceled"],
]);

/** Return the limit's name; without one, what it limits and for how long. */
export function title(limit) {
  if (limit.name) return limit.name;
  const period = PERIODS.get(limit.periodType)?.adjective;
  const words = [period, TYPES.get(limit.type)?.things].filter(Boolean).join(" ");
  return words ? words[0].toUpperCase() + words.slice(1) : limit.limitId;
}

/** Return the type and the exact period. */
export function kind(limit) {
  const parts = [TYPES.get(limit.type)?.kind ?? "Limit", PERIODS.get(limit.periodType)?.span];
  return parts.filter(Boolean).join(" · ");
}

/** Return the status in words; of a limit whose time is over, that it has ended. */
export function status(limit, now) {
  return hasEnded(limit, now) ? "Ended" : (STATUSES.get(limit.status) ?? limit.status);
}

/** Tell whether a limit holds now: one that is to come, was canceled or has ended needs nobody's attention. */
export function isInForce(limit, now) {
  return limit.status !== "FUTURE" && limit.status !== "CANCELED" && !hasEnded(limit, now);
}

/** Return how far a limit is used: "calm", "near", "full", "exceeded", or "idle" if it is not in force. */
export function level(limit, now) {
  if (!isInForce(limit, now)) return "idle";
  // Not by the percentage: 100.001 is rounded to 100, and of a limit of 0 it is never above.
  if (limit.progress > limit.amount) return "exceeded";
  if (limit.percentage >= 100) return "full";
  return limit.percentage >= NEAR ? "near" : "calm";
}

/** The words that go with a level; a colour is never the only sign. */
export const LEVEL_WORDS = new Map([
  ["near", "Almost used up"],
  ["full", "Used up"],
  ["exceeded", "Limit exceeded"],
]);

/**
 * Return the limits in the order in which they are shown: by type, then from the short period to the long.
 *
 * It does not depend on how far they are used. A card stays where it is while the figures move; what needs
 * attention is named by the summary above the cards.
 */
export function ordered(limits, now) {
  const rank = (limit) => [
    isInForce(limit, now) ? 0 : 1,
    place(TYPES, limit.type),
    place(PERIODS, limit.periodType),
  ];
  const compare = (one, other) => {
    const [first, second] = [rank(one), rank(other)];
    const at = first.findIndex((each, index) => each !== second[index]);
    return at < 0 ? title(one).localeCompare(title(other)) : first[at] - second[at];
  };
  return [...limits].sort(compare);
}

/** Return the summary: its parts are texts, and limits to be linked. */
export function summary(limits, now) {
  const inForce = limits.filter((limit) => isInForce(limit, now));
  const idle = limits.length - inForce.length;
  if (inForce.length === 0) return [idle === 1 ? "The limit is not in force." : `None of ${idle} limits is in force.`];
  const parts = [];
  for (const [name, word] of [...LEVEL_WORDS].reverse()) {
    const those = inForce.filter((limit) => level(limit, now) === name);
    if (those.length === 0) continue;
    parts.push(`${word}: `, ...those.flatMap((limit, index) => (index > 0 ? [", ", limit] : [limit])), ". ");
  }
  const calm = inForce.filter((limit) => level(limit, now) === "calm").length;
  if (calm > 0) parts.push(`${wellInHand(calm, calm < inForce.length)} well in hand. `);
  if (idle > 0) parts.push(`${idle} more ${idle === 1 ? "is" : "are"} not in force.`);
  return parts;
}

function wellInHand(count, areOthers) {
  if (count === 1) return areOthers ? "The other limit is" : "The limit is";
  if (areOthers) return `The other ${count} limits are`;
  return count === 2 ? "Both limits are" : `All ${count} limits are`;
}

function hasEnded(limit, now) {
  return limit.activeUntil !== null && Date.parse(limit.activeUntil) <= now;
}

function place(known, name) {
  const at = [...known.keys()].indexOf(name);
  return at < 0 ? known.size : at;
}
