/**
 * How amounts and times are written. Pure: the locale and the time are arguments.
 *
 * The page speaks English, so its units and names of days are English ones; how numbers are grouped, where a
 * currency stands, the order of a date and its clock are those of the reader's region.
 */

import { absolute, digits, divide } from "/decimal.js";
import { shown } from "/names.js";

const SPACE = "\u00a0"; // one that no line is broken at
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MOST = 9_999; // percent
const READER = readersLocale();
const writers = new Map(); // locale and options → what writes so

/**
 * Write an amount in the limit's unit: a session's in hours, minutes and seconds, others in the limit's currency.
 *
 * It is not rounded, or what is used and what is left would not add up. Only of what has more digits than anybody
 * reads, the first ones are written, and a power of ten.
 */
export function amount(value, limit, locale = READER) {
  if (limit.type === "SESSION") return duration(value, locale);
  const currency = shown(limit.currencyCode);
  if (currency === "") return decimal(value, locale);
  try {
    return decimal(value, locale, { style: "currency", currency }, [limit.amount, limit.progress]);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return decimal(value, locale) + SPACE + currency; // of no form that a currency's code can have
  }
}

/**
 * Write a percentage of 0 to 100 and above; far above, that it is.
 *
 * Decimals are written where they say something: between nothing and 1 %, and around the limit itself.
 */
export function percentage(value, locale = READER) {
  const size = Math.abs(value);
  const isTelling = (size < 1 && value !== 0) || (size > 99 && size < 101);
  const written = numbers(locale, { style: "percent", maximumFractionDigits: isTelling ? 2 : 0 });
  if (Math.abs(value) > MOST) return (value > 0 ? ">" : "<") + written.format((Math.sign(value) * MOST) / 100);
  return written.format(value / 100);
}

/** Write seconds as hours, minutes and seconds. */
export function duration(seconds, locale = READER) {
  if (!digits(seconds).readable) return decimal(seconds, locale) + SPACE + "s";
  const { negative, size } = absolute(seconds);
  const hours = divide(size, HOUR);
  const minutes = divide(hours.rest, MINUTE);
  const parts = [[hours.times, "h"], [minutes.times, "min"], [minutes.rest, "s"]];
  const some = parts.filter(([count]) => Number(count) > 0);
  return (negative ? "−" : "") + units(some.length > 0 ? some : [[0, "min"]], locale);
}

/** Write how long it is until a time, in the two units that matter. */
export function countdown(milliseconds, locale = READER) {
  const whole = Math.max(0, Math.ceil(milliseconds / 1000));
  const hours = Math.floor((whole % DAY) / HOUR);
  const minutes = Math.floor((whole % HOUR) / MINUTE);
  if (whole >= DAY) return units([[Math.floor(whole / DAY), "d"], [hours, "h"]], locale);
  if (whole >= HOUR) return units([[hours, "h"], [minutes, "min"]], locale);
  return units([...(minutes > 0 ? [[minutes, "min"]] : []), [whole % MINUTE, "s"]], locale);
}

/** Write how long ago something was. */
export function ago(milliseconds, locale = READER) {
  const whole = Math.floor(milliseconds / 1000);
  if (whole < 5) return "just now";
  const [length, unit] = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [1, "s"]].find(([each]) => whole >= each);
  return `${units([[Math.floor(whole / length), unit]], locale)} ago`;
}

/** Write a date and a time of day, in the reader's time zone. */
export function moment(date, locale = READER) {
  const options = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  return dates(locale, options).format(date);
}

/** Write when a time to come is: today's with its time of day, within a week the day's name, else its date. */
export function soon(date, now, locale = READER) {
  const days = dates(locale, { year: "numeric", month: "numeric", day: "numeric" });
  const isOn = (other) => days.format(date) === days.format(other);
  if (isOn(now)) return `today at ${clock(date, locale)}`;
  if (isOn(now + DAY * 1000)) return "tomorrow";
  const isNear = date - now < 6 * DAY * 1000;
  return `on ${dates(locale, isNear ? { weekday: "long" } : { day: "numeric", month: "long" }).format(date)}`;
}

/** Write a date as short as can be. */
export function shortDay(date, locale = READER) {
  return dates(locale, { day: "numeric", month: "short" }).format(date);
}

/** Write a date. */
export function day(date, locale = READER) {
  const options = { day: "numeric", month: "short", year: "numeric" };
  return dates(locale, options).format(date);
}

/** Write a time of day. */
export function clock(date, locale = READER) {
  return dates(locale, { hour: "2-digit", minute: "2-digit" }).format(date);
}

/** Make what writes numbers and dates, while an answer is on its way: the first of each takes some milliseconds. */
export function prepare() {
  moment(Date.now());
  percentage(1);
  percentage(0.5);
  ago(DAY * 1000);
  amount("1.5", { currencyCode: "EUR", amount: "1", progress: "1" });
}

/** Write what a problem says of itself as a sentence. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** Return what writes numbers so. To make one takes longer than to write a thousand numbers. */
function numbers(locale, options) {
  return remembered(`${locale} ${JSON.stringify(options)}`, () => new Intl.NumberFormat(locale, options));
}

/** Return what writes dates so: in English, in the order of the reader's region. */
function dates(locale, options) {
  return remembered(`${locale} ${JSON.stringify(options)}`, () => {
    const english = `en-${new Intl.Locale(locale).maximize().region ?? "GB"}`;
    return new Intl.DateTimeFormat(english, options);
  });
}

function remembered(name, make) {
  if (!writers.has(name)) writers.set(name, make());
  return writers.get(name);
}

/** Write a number with all its digits, and at least with as many as its currency and those beside it have. */
function decimal(value, locale, options = {}, beside = []) {
  if (!digits(value).readable) {
    const scientific = { ...options, notation: "scientific", maximumSignificantDigits: 6 };
    return numbers(locale, scientific).format(value);
  }
  const usual = numbers(locale, options).resolvedOptions().minimumFractionDigits;
  const others = beside.filter((each) => each !== undefined && digits(each).readable);
  const least = Math.max(usual, ...others.map((each) => digits(each).fraction));
  const most = Math.max(least, digits(value).fraction);
  const exact = { ...options, minimumFractionDigits: least, maximumFractionDigits: most };
  const { negative, size } = absolute(value);
  return numbers(locale, exact).format(negative ? `-${size}` : size);
}

function units(parts, locale) {
  return parts.map(([count, unit]) => decimal(count, locale) + SPACE + unit).join(SPACE);
}

/** Return the reader's locale. Some systems have one that is none, such as `en-US@posix`. */
function readersLocale() {
  try {
    return Intl.getCanonicalLocales(navigator.language)[0] ?? "en-GB";
  } catch {
    return "en-GB";
  }
}
