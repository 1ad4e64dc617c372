/**
 * Exact arithmetic with amounts. Pure.
 *
 * An amount is a decimal number of up to 38 digits, as text: `9800.10`, `1E+125`. What the browser calls a number
 * would keep 15 of them. Numbers are taken too, for what they are.
 */

const FORM = /^([+-]?)(\d+)(?:\.(\d*))?(?:e([+-]?\d+))?$/i;
const TOO_MANY = { whole: 21, fraction: 12 }; // digits that nobody reads

/** Return the sign of one minus other: -1, 0 or 1. */
export function compare(one, other) {
  const { units } = difference(one, other);
  return units > 0n ? 1 : units < 0n ? -1 : 0;
}

/** Return one minus other. */
export function minus(one, other) {
  return write(difference(one, other));
}

/** Return the sum of two amounts. */
export function plus(one, other) {
  const [first, second] = [read(one), read(other)];
  const scale = Math.max(first.scale, second.scale);
  return write({ units: at(first, scale) + at(second, scale), scale });
}

/** Return an amount's size, and whether it is negative. */
export function absolute(value) {
  const { units, scale } = read(value);
  return { negative: units < 0n, size: write({ units: units < 0n ? -units : units, scale }) };
}

/** Return how often a whole number goes into an amount that is not negative, and what is left. */
export function divide(value, divisor) {
  const { units, scale } = read(value);
  const whole = BigInt(divisor) * 10n ** BigInt(scale);
  return { times: units / whole, rest: write({ units: units % whole, scale }) };
}

/** Return how many digits an amount has behind its point, and whether it is written out at all. */
export function digits(value) {
  const { units, scale } = read(value);
  const length = String(units).replace("-", "").length;
  return { fraction: scale, readable: length - scale <= TOO_MANY.whole && scale <= TOO_MANY.fraction };
}

function difference(one, other) {
  const [first, second] = [read(one), read(other)];
  const scale = Math.max(first.scale, second.scale);
  return { units: at(first, scale) - at(second, scale), scale };
}

/** Read an amount as whole units of a power of ten, as few as can be. */
function read(value) {
  const [, sign, whole, fraction = "", exponent = "0"] = FORM.exec(String(value));
  const shift = Number(exponent) - fraction.length;
  let units = BigInt(sign + whole + fraction);
  let scale = Math.max(-shift, 0);
  if (shift > 0) units *= 10n ** BigInt(shift);
  while (scale > 0 && units % 10n === 0n) {
    units /= 10n;
    scale -= 1;
  }
  return { units, scale };
}

function write({ units, scale }) {
  return `${units}e-${scale}`;
}

function at({ units, scale }, wanted) {
  return units * 10n ** BigInt(wanted - scale);
}
