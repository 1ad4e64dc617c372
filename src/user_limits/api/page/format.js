/**
 * How amounts and times are written. Pure: the locale and the time are arguments.
 *
 * The page speaks English, so its units and names of days are English ones; how numbers are grouped, where a
 * currency stands, the order of a date and its clock are those of the reader's region.
 */

const SPACE = "\u00a0"; // one that no line is broken at
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Write an amount in the limit's unit: a session's in hours and minutes, others in the limit's currency. */
export function amount(value, limit, locale = navigator.language) {
  if (limit.type === "SESSION") return duration(value, locale);
  if (limit.currencyCode === null) return plain(value, locale);
  try {
    return new Intl.NumberFormat(locale, { style: "currency", currency: limit.currencyCode }).format(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return plain(value, locale) + SPACE + limit.currencyCode; // of no form that a currency's code can have
  }
}

/** Write a percentage of 0 to 100 and above. */
export function percentage(value, locale = navigator.language) {
  return new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 2 }).format(value / 100);
}

/** Write seconds as hours and minutes; less than a minute as seconds. */
export function duration(seconds, locale = navigator.language) {
  const whole = Math.floor(Math.abs(seconds));
  const sign = seconds < 0 && whole > 0 ? "−" : "";
  if (whole > 0 && whole < MINUTE) return sign + units([[whole, "s"]], locale);
  const hours = Math.floor(whole / HOUR);
  const minutes = Math.floor((whole % HOUR) / MINUTE);
  const parts = [[hours, "h"], [minutes, "min"]].filter(([count]) => count > 0);
  return sign + units(parts.length > 0 ? parts : [[0, "min"]], locale);
}

/** Write how long it is until a time, in the two units that matter. */
export function countdown(milliseconds, locale = navigator.language) {
  const whole = Math.max(0, Math.ceil(milliseconds / 1000));
  const hours = Math.floor((whole % DAY) / HOUR);
  const minutes = Math.floor((whole % HOUR) / MINUTE);
  if (whole >= DAY) return units([[Math.floor(whole / DAY), "d"], [hours, "h"]], locale);
  if (whole >= HOUR) return units([[hours, "h"], [minutes, "min"]], locale);
  return units([...(minutes > 0 ? [[minutes, "min"]] : []), [whole % MINUTE, "s"]], locale);
}

/** Write how long ago something was. */
export function ago(milliseconds, locale = navigator.language) {
  const whole = Math.floor(milliseconds / 1000);
  if (whole < 5) return "just now";
  const [length, unit] = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [1, "s"]].find(([each]) => whole >= each);
  return `${units([[Math.floor(whole / length), unit]], locale)} ago`;
}

/** Write a date and a time of day, in the reader's time zone. */
export function moment(date, locale = navigator.language) {
  const options = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(english(locale), options).format(date);
}

/** Write a date. */
export function day(date, locale = navigator.language) {
  const options = { day: "numeric", month: "short", year: "numeric" };
  return new Intl.DateTimeFormat(english(locale), options).format(date);
}

/** Write a time of day. */
export function clock(date, locale = navigator.language) {
  return new Intl.DateTimeFormat(english(locale), { hour: "2-digit", minute: "2-digit" }).format(date);
}

/** Write what a problem says of itself as a sentence. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

function english(locale) {
  return `en-${new Intl.Locale(locale).maximize().region ?? "GB"}`;
}

function plain(value, locale) {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: 6 }).format(value);
}

function units(parts, locale) {
  const number = new Intl.NumberFormat(locale);
  return parts.map(([count, unit]) => number.format(count) + SPACE + unit).join(SPACE);
}
