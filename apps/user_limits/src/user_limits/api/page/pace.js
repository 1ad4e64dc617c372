/** How far a limit's period has gone, and what comes of it if all goes on as so far. Pure. */

import { isInForce } from "/limit.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const LENGTHS = new Map([
  ["DAILY", (end) => end - DAY],
  ["CALENDAR_DAILY", (end) => end - DAY],
  ["WEEKLY", (end) => end - 7 * DAY],
  ["CALENDAR_WEEKLY", (end) => end - 7 * DAY],
  ["MONTHLY", monthBefore],
  ["CALENDAR_MONTHLY", monthBefore],
]);
const EARLY = 0.2; // share of a period that is too little to tell anything from
const FEW = 3; // changes that are too few

/**
 * Return the pace of a limit, or null if it has no period that runs now.
 *
 * `gone` is the share of the period that is over, `share` that of the limit that is used; `isEarly` says that it is too
 * early for a forecast. At this rate the limit is used up at `usedUpAt`, null if that is not before the end of the
 * period, at which `used` would be its share that is used.
 */
export function pace(limit, now) {
  const begin = LENGTHS.get(limit.periodType);
  if (begin === undefined || limit.expiresAt === null || !isInForce(limit, now)) return null;
  const end = Date.parse(limit.expiresAt);
  const begun = [begin(end), Date.parse(limit.activeFrom), Date.parse(limit.lastReset?.at ?? null)];
  const start = Math.max(...begun.filter((each) => each < now)); // a limit may begin within a period
  if (!(start < now && now < end)) return null;
  const gone = (now - start) / (end - start);
  const share = limit.percentage / 100;
  const isEarly = gone < EARLY || now - start < HOUR;
  const hasRate = !isEarly && limit.type !== "BALANCE"; // a balance does not grow with the time
  const usedUpAt = hasRate && share > 0 && share < 1 ? start + (now - start) / share : Infinity;
  return { gone, share, isEarly, used: hasRate ? share / gone : null, usedUpAt: usedUpAt < end ? usedUpAt : null };
}

/** Return whether so many changes are too few to tell anything from. */
export function areFew(changes) {
  return changes < FEW;
}

function monthBefore(end) {
  const date = new Date(end);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() - 1);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, last));
  return date.getTime();
}
