/** What a limit is called, how far it is used, and where it stands among others. Pure. */

import { compare } from "/decimal.js";
import { short, shown, shownId } from "/names.js";

export const NEAR = 80; // percent
const PLACES = 100; // more than there are periods
const alphabet = new Intl.Collator();
const NAMED = 5; // limits of one level that a summary names

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

/** The types in the order in which they are shown; null stands for all others. */
export const TYPE_NAMES = [...TYPES.keys(), null];

const STATUSES = new Map([
  ["ACTIVE", "Active"],
  ["IN_COOLDOWN", "In cooldown"],
  ["FUTURE", "Not yet active"],
  ["CANCELED", "Canceled"],
]);

/** Return the limit's name; without one, what it limits and for how long. */
export function title(limit) {
  const name = shown(limit.name);
  if (name) return name;
  const period = PERIODS.get(limit.periodType)?.adjective;
  const words = [period, TYPES.get(limit.type)?.things].filter(Boolean).join(" ");
  return words ? capitalized(words) : shownId(limit.limitId);
}

/** Return what limits of a type limit, as a title. */
export function typeWord(type) {
  return capitalized(TYPES.get(type)?.things ?? "others");
}

/** Return how long a limit's period is, as a title. */
export function periodWord(limit) {
  const period = PERIODS.get(limit.periodType);
  return capitalized(period?.adjective || period?.span || "");
}

/** Return what the limit is called in a sentence. */
export function shortTitle(limit) {
  return short(title(limit));
}

/** Return the type in words, and the exact period with the brand if limits of several are shown. */
export function kind(limit, areSeveralBrands) {
  const brand = areSeveralBrands && limit.brandId !== null ? shownId(limit.brandId) : "";
  const more = [PERIODS.get(limit.periodType)?.span, brand].filter(Boolean).join(" · ");
  return { type: TYPES.get(limit.type)?.kind ?? "Limit", more };
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
  // Not by the percentage: 99.995 and 100.001 are rounded to 100, and of a limit of 0 it is never above.
  const over = compare(limit.progress, limit.amount);
  if (over > 0) return "exceeded";
  if (limit.percentage < NEAR) return "calm";
  return over === 0 ? "full" : "near";
}

/** Return the percentage that is shown: 100 is said only of what is used up, and no more than that. */
export function shownPercentage(limit) {
  const over = compare(limit.progress, limit.amount);
  if (limit.percentage !== 100 || over === 0 || compare(limit.amount, 0) === 0) return limit.percentage;
  return over < 0 ? 99.99 : 100.01;
}

/** Return what comes next for a limit ("start", "reset", "end", "none"), or that it has "ended"; and when, if known. */
export function next(limit, now) {
  if (hasEnded(limit, now)) return { turn: "ended", at: limit.activeUntil };
  if (limit.status === "CANCELED") return { turn: "none", at: null };
  if (limit.status === "FUTURE") return { turn: "start", at: limit.activeFrom };
  if (endsFirst(limit)) return { turn: "end", at: limit.activeUntil };
  return { turn: "reset", at: limit.expiresAt };
}

/** The words that go with a level; a colour is never the only sign. */
export const LEVEL_WORDS = new Map([
  ["near", "Almost used up"],
  ["full", "Used up"],
  ["exceeded", "Limit exceeded"],
]);

/** Return the limits in order: by type, then from the short period to the long, then by title. */
export function ordered(limits) {
  const ranked = limits.map((limit) => ({
    limit,
    rank: place(TYPES, limit.type) * PLACES + place(PERIODS, limit.periodType),
    title: title(limit),
  }));
  ranked.sort((one, other) => one.rank - other.rank || alphabet.compare(one.title, other.title));
  return ranked.map(({ limit }) => limit);
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
    const named = those.flatMap((limit, index) => (index > 0 ? [", ", limit] : [limit]));
    parts.push(`${word}: `, ...(those.length > NAMED ? [`${those.length} limits`] : named), ". ");
  }
  const calm = inForce.filter((limit) => level(limit, now) === "calm").length;
  if (calm > 0) parts.push(`${withRoom(calm, calm < inForce.length)} room left. `);
  if (idle > 0) parts.push(`${idle} more ${idle === 1 ? "is" : "are"} not in force.`);
  return parts;
}

function withRoom(count, areOthers) {
  if (count === 1) return areOthers ? "The other limit has" : "The limit has";
  if (areOthers) return `The other ${count} limits have`;
  return count === 2 ? "Both limits have" : `All ${count} limits have`;
}

/** Tell whether a limit's time is over before it would be reset once more. */
function endsFirst(limit) {
  if (limit.activeUntil === null) return false;
  return limit.expiresAt === null || Date.parse(limit.activeUntil) <= Date.parse(limit.expiresAt);
}

function hasEnded(limit, now) {
  return limit.activeUntil !== null && Date.parse(limit.activeUntil) <= now;
}

function capitalized(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function place(known, name) {
  const at = [...known.keys()].indexOf(name);
  return at < 0 ? known.size : at;
}
