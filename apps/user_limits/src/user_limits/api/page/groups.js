/** In which groups limits are shown, in which order, and what they come to. Pure. */

import { compare, plus } from "/decimal.js";
import { isInForce, level, periodWord, title, typeWord, TYPE_NAMES } from "/limit.js";

export const FEW = 6; // limits that need neither groups nor filters
const REACHED = new Set(["full", "exceeded"]);

/**
 * Return the groups of limits in force, and the limits that are not in force.
 *
 * Limits that are exceeded or used up come first, in a group of their own where there are groups. All others are
 * grouped by type; within a group the order is that in which they come, and does not depend on how far they are used:
 * a card stays where it is while its figures move.
 */
export function grouped(limits, now, isGrouped) {
  const inForce = limits.filter((limit) => isInForce(limit, now));
  const idle = limits.filter((limit) => !isInForce(limit, now));
  const reached = inForce.filter((limit) => REACHED.has(level(limit, now)));
  reached.sort((one, other) => rank(other, now) - rank(one, now));
  const others = inForce.filter((limit) => !REACHED.has(level(limit, now)));
  if (!isGrouped) {
    const all = [...reached, ...others];
    return { groups: all.length > 0 ? [{ name: "all", title: "In force", limits: all }] : [], idle };
  }
  const groups = reached.length > 0 ? [{ name: "reached", title: "Reached", limits: reached }] : [];
  for (const type of TYPE_NAMES) {
    const those = others.filter((limit) => (TYPE_NAMES.includes(limit.type) ? limit.type : null) === type);
    if (those.length > 0) groups.push({ name: type ?? "none", title: typeWord(type), limits: those });
  }
  return { groups, idle };
}

/**
 * Return the sums of limits that can be summed up: of one type, period and currency, such as those of several brands.
 *
 * One deposit counts towards a daily and a monthly limit, so that the two have no sum.
 */
export function totals(limits) {
  const sums = new Map();
  for (const limit of limits) {
    if (limit.periodType === null) continue;
    const name = JSON.stringify([limit.type, limit.periodType, limit.currencyCode]);
    const { type, currencyCode } = limit;
    const sum = sums.get(name) ?? { type, currencyCode, period: periodWord(limit), count: 0, progress: "0", amount: "0" };
    const [progress, amount] = [plus(sum.progress, limit.progress), plus(sum.amount, limit.amount)];
    sums.set(name, { ...sum, count: sum.count + 1, progress, amount });
  }
  return [...sums.values()].filter((sum) => sum.count > 1);
}

/** Return the names of what limits may be filtered by: types and brands, each with how many limits have it. */
export function choices(limits) {
  const types = new Map();
  const brands = new Map();
  for (const { type, brandId } of limits) {
    types.set(type, (types.get(type) ?? 0) + 1);
    brands.set(brandId, (brands.get(brandId) ?? 0) + 1);
  }
  return { types, brands };
}

/** Return the limits that a filter lets pass: of its type, of its brand, with its text in their title. */
export function filtered(limits, { type, brand, text }) {
  const wanted = text.trim().toLocaleLowerCase();
  return limits.filter(
    (limit) =>
      (type === undefined || limit.type === type) &&
      (brand === undefined || limit.brandId === brand) &&
      (wanted === "" || title(limit).toLocaleLowerCase().includes(wanted)),
  );
}

/** Rank a limit among those that are reached: exceeded before used up, and by how far. */
function rank(limit, now) {
  const over = compare(limit.progress, limit.amount);
  return (level(limit, now) === "exceeded" ? 1e9 : 0) + (over > 0 ? Math.min(limit.percentage, 1e8) : 0);
}
