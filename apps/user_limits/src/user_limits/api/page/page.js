/** Puts the page together: its address names the user, a poll reads their limits, cards show them. */

import { arrange } from "/arrange.js";
import { Card } from "/card.js";
import { sentence } from "/format.js";
import { Freshness } from "/freshness.js";
import { LEVEL_WORDS, level, ordered, shortTitle, summary } from "/limit.js";
import { OfflineError, ProblemError, UserLimits } from "/limits.js";
import { shownId } from "/names.js";
import { Poll } from "/poll.js";

const TICK_MS = 1_000;
const RETRY_MS = 6_000;

const find = (selector) => document.querySelector(selector);
const freshness = new Freshness(find("#freshness"), find("#banner"));
const cards = new Map(); // limit id → its card
const links = new Map(); // limit id → the link to its card
let levels = null; // limit id → its level as it was last shown; null before the first
let shown = []; // the limits that the cards show
let poll = null;

/** Return whose page it is, null if nobody's, and whether the address is damaged: not every one can be read. */
function userOfAddress() {
  const [, name] = /^\/users\/([^/]+)$/.exec(location.pathname) ?? [];
  try {
    return { user: name === undefined ? null : decodeURIComponent(name), isDamaged: false };
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return { user: null, isDamaged: true };
  }
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
  const { user, isDamaged } = userOfAddress();
  document.title = user === null ? "Limits" : `${shownId(user)} · Limits`;
  find("#damaged").hidden = !isDamaged;
  find("#welcome").hidden = user !== null;
  find("#user-limits").hidden = user === null;
  find(".top").hidden = user === null;
  if (user === null) return;
  find("#name").textContent = shownId(user);
  find("#announcement").textContent = "";
  freshness.clear();
  cards.clear();
  links.clear();
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
  const ids = new Set(shown.map((limit) => limit.limitId));
  for (const id of [...cards.keys()].filter((each) => !ids.has(each))) {
    cards.delete(id);
    links.delete(id);
  }
  for (const limit of shown) {
    const card = cards.get(limit.limitId) ?? new Card(find("template#card"), limit, now);
    cards.set(limit.limitId, card);
    card.show(limit, now);
  }
  arrange(find("#cards"), shown.map((limit) => cards.get(limit.limitId).element), find("#name"));
  showOnly(shown.length > 0 ? "#cards" : "#empty");
  showLevels(now);
}

function showFailure(error) {
  find("#failed p").textContent = `${sentence(error.message)} The page tries again by itself.`;
  showOnly("#failed");
}

function showOnly(selector) {
  for (const each of ["#waiting", "#cards", "#empty", "#failed"]) {
    if (each !== selector && find(each).contains(document.activeElement)) find("#name").focus({ preventScroll: true });
    find(each).hidden = each !== selector;
  }
}

/** Write the summary anew if it says something else, and tell those who listen what needs attention. */
function showLevels(now) {
  const current = new Map(shown.map((limit) => [limit.limitId, level(limit, now)]));
  const changed = shown.filter((limit) => levels?.get(limit.limitId) !== current.get(limit.limitId));
  const news = changed.filter((limit) => LEVEL_WORDS.has(current.get(limit.limitId)));
  if (levels !== null && news.length > 0) {
    const told = news.map((limit) => `${shortTitle(limit)}: ${LEVEL_WORDS.get(current.get(limit.limitId))}.`);
    find("#announcement").textContent = told.join(" ");
  }
  levels = current;
  const parts = shown.length === 0 ? [] : summary(shown, now);
  const words = parts.map((part) => (typeof part === "string" ? part : shortTitle(part))).join("");
  if (words === find("#summary").textContent) return;
  const nodes = parts.map((part) => (typeof part === "string" ? document.createTextNode(part) : link(part)));
  arrange(find("#summary"), nodes, find("#name"));
}

/** Return the link to a limit's card: the one that it has, if there is one, which may have the focus. */
function link(limit) {
  const element = links.get(limit.limitId) ?? newLink(limit);
  links.set(limit.limitId, element);
  element.textContent = shortTitle(limit);
  return element;
}

function newLink(limit) {
  const element = document.createElement("a");
  element.dir = "auto"; // a name turns nothing round but itself
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
