/** How numbers, times and sentences are written. Pure. */

const UNITS = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];
const numbers = new Intl.NumberFormat("en-GB");
const moments = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minutes = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** Write a whole number. */
export function number(value) {
  return numbers.format(value);
}

/** Write a number of things, whose noun has a plural in -s. */
export function counted(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Write a time span in its largest unit, as the command line does. */
export function span(milliseconds) {
  const seconds = milliseconds / 1_000;
  const [size, unit] = UNITS.find(([each]) => seconds >= each) ?? [1, "s"];
  return `${(seconds / size).toFixed(1)}\u00a0${unit}`;
}

/** Write how long ago something was. */
export function ago(milliseconds) {
  const seconds = Math.floor(milliseconds / 1_000);
  if (seconds < 5) return "just now";
  const [size, unit] = UNITS.find(([each]) => seconds >= each);
  return `${Math.floor(seconds / size)}\u00a0${unit} ago`;
}

/** Write a date and a time of day. What is no time is written as it is. */
export function moment(when) {
  const date = new Date(when);
  return Number.isNaN(date.getTime()) ? String(when) : moments.format(date);
}

/** Write the time of day of a minute, in minutes since epoch. */
export function minute(since) {
  return minutes.format(since * 60_000);
}

/** Write a sentence of the command line as one of the page. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}
