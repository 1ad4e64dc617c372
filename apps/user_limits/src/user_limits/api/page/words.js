/** Says in a player's words what is special about a limit, and what happened to it. Pure. */

import { absolute, compare } from "/decimal.js";
import { amount, day, percentage, soon } from "/format.js";
import { areFew, pace } from "/pace.js";

/** Return the short remarks on a limit. Its end is none if it is what comes next. */
export function remarks(limit, turn) {
  const { activeUntil, driftedAt, previousAmount, rebuilt, waitingSince } = limit;
  return [
    ...(waitingSince ? [`Waiting for a missing update since ${day(new Date(waitingSince))}`] : []),
    ...(activeUntil === null || turn === "end" || turn === "ended" ? [] : [`Until ${day(new Date(activeUntil))}`]),
    ...(previousAmount === null ? [] : [`Was ${amount(previousAmount, limit)} before`]),
    ...(rebuilt ? ["Rebuilt from what was seen of it"] : []),
    ...(driftedAt === null ? [] : [`Figures corrected on ${day(new Date(driftedAt))}`]),
  ];
}

/** Return sentences that explain what a player may wonder about. */
export function explanations(limit) {
  return [
    ...(limit.waitingSince
      ? ["An update of this limit is missing. Newer ones wait until it has arrived, so these figures may be behind."]
      : []),
    ...(limit.status === "IN_COOLDOWN"
      ? ["In cooldown: a waiting time runs before a change of this limit takes effect. Until then it holds as shown."]
      : []),
    ...(limit.rebuilt
      ? ["Rebuilt: this limit is older than what is recorded here. Its figures are right from the first event that said all of them."]
      : []),
    ...(limit.driftedAt === null
      ? []
      : ["Corrected: an update had been missed, and the figures have been put right. They are right now."]),
    ...(limit.expiresAt === null ? [] : ["At a reset, what is used starts again at nothing. The limit itself stays."]),
  ];
}

/** Return when a limit is used up at the rate so far, in a few words; "" if it is not before its reset. */
export function warning(limit, now) {
  const usedUpAt = pace(limit, now)?.usedUpAt ?? null;
  return usedUpAt === null ? "" : `At this rate used up ${soon(new Date(usedUpAt), now)}`;
}

/**
 * Return how fast a limit is used, in a sentence or two; "" if it has no period.
 *
 * @param changes how often its progress has changed in this period; null if that is not known.
 */
export function forecast(limit, now, changes) {
  const found = pace(limit, now);
  if (found === null) return "";
  const so = `${percentage(100 * found.gone)} of the period has gone, ${percentage(limit.percentage)} of the limit is used.`;
  if (compare(limit.progress, limit.amount) >= 0 || limit.type === "BALANCE") return so;
  if (compare(limit.progress, 0) <= 0) return `${so} Nothing has been used so far.`;
  if (found.isEarly || changes === 0) return `${so} It is too early to tell how it goes on.`;
  const guess = changes !== null && areFew(changes) ? ` That is a guess from ${changes === 1 ? "one change" : `${changes} changes`}.` : "";
  if (found.usedUpAt !== null) return `${so} At this rate it is used up ${soon(new Date(found.usedUpAt), now)}.${guess}`;
  return `${so} At this rate ${percentage(100 * found.used)} will be used when it resets.${guess}`;
}

/** Return what a change was, in a few words. */
export function happening(change, limit) {
  const { negative, size } = absolute(change.amount ?? "0");
  const text = amount(negative ? size : (change.amount ?? "0"), limit);
  if (change.amount === null && change.kind !== "RESET") return "A change that does not fit what is known";
  switch (change.kind) {
    case "CREATED":
      return `Limit set to ${text}`;
    case "REDEFINED":
      return `Limit changed to ${text}`;
    case "RESET":
      return change.amount === null ? "Reset" : `Reset: ${text} had been used`;
    default:
      return negative ? `${text} taken back` : `${text} used`;
  }
}

/** Return what was used after a change, in a few words; "" if it is not known or goes without saying. */
export function standing(change, limit) {
  if (change.kind === "RESET" || change.progress === null) return "";
  return `${amount(change.progress, limit)}${change.limitAmount === null ? "" : ` of ${amount(change.limitAmount, limit)}`}`;
}
