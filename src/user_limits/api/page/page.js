/** Puts the page together: its address names the user, a poll reads their limits, cards show them. */

import { Card } from "/card.js";
import { sentence } from "/format.js";
import { Freshness } from "/freshness.js";
import { LEVEL_WORDS, level, ordered, summary, title } from "/limit.js";
import { OfflineError, ProblemError, UserLimits } from "/limits.js";
import { Poll } from "/poll.js";

const TICK_MS = 1_000;
const RETRY_MS = 6_000;

const find = (selector) => document.querySelector(selector);
const freshness = new Freshness(find("#freshness"), find("#banner"));
const cards = new Map(); // limit id → its card
let levels = null; // limit id → its level as it was last shown; null before the first
let shown = []; // the limits that the cards show
let poll = null;

function userOfAddress() {
  const [, name] = /^\/users\/([^/]+)$/.exec(location.pathname) ?? [];
  return name === undefined ? null : decodeURIComponent(name);
}

function go(user) {
  history.pushState(null, "", `/users/${encodeURIComponent(user)}`);
  open();
  find("#name").focus();
}

/** Show what the address names: a user's limits, or the question for a user. */
function open() {
  poll?.stop();
  poll = null;
  const user = userOfAddress();
  document.title = user === null ? "Limits" : `${user} · Limits`;
  find("#welcome").hidden = user !== null;
  find("#user-limits").hidden = user === null;
  find(".top").hidden = user === null;
  if (user === null) return;
  find("#name").textContent = user;
  find("#announcement").textContent = "";
  freshness.clear();
  cards.clear();
  find("#cards").replaceChildren();
  levels = null;
  showOnly("#waiting");
  find("#summary").replaceChildren();
  const limits = new UserLimits(user);
  poll = new Poll((signal) => refresh(limits, signal));
  poll.now();
}

/** Read the limits and show them; return how long to wait if that failed, else 0. */
async function refresh(limits, signal) {
  try {
    const read = await limits.read(signal);
    freshness.succeeded(Date.now());
    show(read);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    if (!(error instanceof ProblemError || error instanceof OfflineError)) throw error;
    if (levels === null) showFailure(error);
    else freshness.failed(error, Date.now());
    return Math.max(error.retryAfter ?? 0, RETRY_MS);
  }
}

function show(limits) {
  const now = Date.now();
  shown = ordered(limits, now);
  const list = find("#cards");
  for (const [id, card] of cards) {
    if (shown.some((limit) => limit.limitId === id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  shown.forEach((limit, place) => {
    const card = cards.get(limit.limitId) ?? new Card(find("template#card"), limit, now);
    cards.set(limit.limitId, card);
    card.show(limit, now);
    // Moving an element stops its transitions: only what stands elsewhere is moved.
    if (list.children[place] !== card.element) list.insertBefore(card.element, list.children[place] ?? null);
  });
  showOnly(shown.length > 0 ? "#cards" : "#empty");
  showLevels(now);
}

function showFailure(error) {
  find("#failed p").textContent = `${sentence(error.message)} The page tries again by itself.`;
  showOnly("#failed");
}

function showOnly(selector) {
  for (const each of ["#waiting", "#cards", "#empty", "#failed"]) find(each).hidden = each !== selector;
}

/** Write the summary anew if a limit's level has changed, and tell those who listen what needs attention. */
function showLevels(now) {
  const current = new Map(shown.map((limit) => [limit.limitId, level(limit, now)]));
  const changed = shown.filter((limit) => levels?.get(limit.limitId) !== current.get(limit.limitId));
  if (levels !== null && levels.size === current.size && changed.length === 0) return;
  const news = changed.filter((limit) => LEVEL_WORDS.has(current.get(limit.limitId)));
  if (levels !== null && news.length > 0) {
    const words = news.map((limit) => `${title(limit)}: ${LEVEL_WORDS.get(current.get(limit.limitId))}.`);
    find("#announcement").textContent = words.join(" ");
  }
  levels = current;
  const parts = shown.length === 0 ? [] : summary(shown, now);
  find("#summary").replaceChildren(...parts.map((part) => (typeof part === "string" ? part : link(part))));
}

function link(limit) {
  const element = document.createElement("a");
  element.textContent = title(limit);
  element.href = `#${cards.get(limit.limitId).id}`;
  element.addEventListener("click", (event) => {
    event.preventDefault(); // the address stays the user's
    cards.get(limit.limitId).focus();
  });
  return element;
}

function tick() {
  if (levels === null || poll === null) return;
  const now = Date.now();
  freshness.tick(now);
  for (const card of cards.values()) card.tick(now);
  showLevels(now);
}

for (const form of document.querySelectorAll("form.ask")) {
  const { user } = form.elements;
  user.addEventListener("input", () => user.setCustomValidity(""));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = user.value.trim();
    if (name === "" || name === "." || name === ".." || name.includes("/")) {
      user.setCustomValidity("A user is a name or a number without a slash.");
      user.reportValidity();
      return;
    }
    form.reset();
    go(name);
  });
}
find("#failed button").addEventListener("click", () => poll.now());
window.addEventListener("popstate", open);
setInterval(tick, TICK_MS);
open();
