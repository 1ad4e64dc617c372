/** Puts the page together: its address names the user, a poll reads their limits, cards show them. */

import { Api, OfflineError, ProblemError } from "/api.js";
import { arrange } from "/arrange.js";
import { ServerClock } from "/clock.js";
import { Filters } from "/filters.js";
import { prepare, sentence } from "/format.js";
import { Freshness } from "/freshness.js";
import { LEVEL_WORDS, level, ordered, shortTitle, summary } from "/limit.js";
import { UserLimits } from "/limits.js";
import { LimitList, isGrouped } from "/list.js";
import { shownId } from "/names.js";
import { Poll } from "/poll.js";
import { SignIn, SignInError } from "/sign_in.js";

const RETURN_PATH = "/signed-in";
const TICK_MS = 1_000;
const RETRY_MS = 6_000;
const REACHED = new Set(["full", "exceeded"]);

const find = (selector) => document.querySelector(selector);
const clock = new ServerClock();
const signIn = new SignIn({
  issuer: setting("oidc-issuer"),
  clientId: setting("oidc-client-id"),
  scope: setting("oidc-scope"),
  returnPath: RETURN_PATH,
});
const api = new Api(clock, signIn);
const freshness = new Freshness(find("#freshness"), find("#banner"));
const filters = new Filters(find("#filters"), showList);
const list = new LimitList({
  groups: find("#groups"),
  idle: find("#idle"),
  heir: find("#name"),
  templates: { card: find("template#card"), group: find("template#group") },
  readActivity: (limitId, cursor, signal) => limits.readActivity(limitId, cursor, signal),
});
const links = new Map(); // limit id → the link to its card
let levels = null; // limit id → its level as it was last shown; null before the first
let shown = []; // the limits that were read, in order
let limits = null; // reads them
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

/** Sign the reader in if that is needed, and show what the address names. */
async function begin() {
  try {
    if (location.pathname === RETURN_PATH) history.replaceState(null, "", await signIn.finish());
    if (signIn.isNeeded) {
      await signIn.begin(location.pathname);
      return; // the browser leaves for the issuer
    }
    if (signIn.isDone && location.pathname === "/") history.replaceState(null, "", `/users/${encodeURIComponent(signIn.user)}`);
    open();
  } catch (error) {
    if (!(error instanceof SignInError)) throw error;
    showSignedOut(error.message);
  }
}

/** Show that nobody is signed in, and why. */
function showSignedOut(why) {
  if (location.pathname === RETURN_PATH) history.replaceState(null, "", "/");
  poll?.stop();
  poll = null;
  list.clear();
  for (const each of ["#welcome", "#user-limits", ".top"]) find(each).hidden = true;
  find("#signed-out").hidden = false;
  find("#signed-out p").textContent = why;
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
  find("#signed-out").hidden = true;
  find("#sign-out").hidden = !signIn.isDone;
  find(".top").hidden = user === null;
  if (user === null) return;
  find("#name").textContent = shownId(user);
  find("#announcement").textContent = "";
  freshness.clear();
  list.clear();
  links.clear();
  levels = null;
  showOnly("#waiting");
  find("#summary").replaceChildren();
  find("#filters").reset();
  limits = new UserLimits(api, user);
  poll = new Poll(refresh);
  poll.now();
  prepare();
}

/** Read the limits and show them; return how long to wait if that failed, else 0. */
async function refresh(signal) {
  try {
    const read = await limits.read(signal);
    freshness.succeeded(Date.now());
    show(read);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    if (!(error instanceof ProblemError || error instanceof OfflineError)) throw error;
    if (signIn.isNeeded) showSignedOut("You have been signed out, as happens after a while.");
    else if (levels === null) showFailure(error);
    else freshness.failed(error, Date.now());
    return Math.max(error.retryAfter ?? 0, RETRY_MS);
  }
}

function show(read) {
  shown = ordered(read);
  const ids = new Set(shown.map((limit) => limit.limitId));
  for (const id of [...links.keys()].filter((each) => !ids.has(each))) links.delete(id);
  showOnly(shown.length > 0 ? "#list" : "#empty");
  showList();
}

/** Show the limits that are chosen. */
function showList() {
  if (shown.length === 0) return;
  const now = clock.now();
  const areMany = isGrouped(shown, now);
  find("#filters").hidden = !areMany;
  if (areMany) filters.offer(shown);
  const count = list.show(shown, now, areMany ? filters.chosen : { text: "" });
  find("#unmatched").hidden = count > 0;
  showLevels(now);
}

function showFailure(error) {
  find("#failed p").textContent = `${sentence(error.message)} The page tries again by itself.`;
  showOnly("#failed");
}

function showOnly(selector) {
  for (const each of ["#waiting", "#list", "#empty", "#failed"]) {
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
  find("#help").hidden = find("#help").textContent === "" || !shown.some((limit) => REACHED.has(current.get(limit.limitId)));
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
  element.href = "#list";
  element.addEventListener("click", (event) => {
    event.preventDefault(); // the address stays the user's
    if (list.card(limit.limitId)?.element.isConnected !== true) filters.clear();
    list.card(limit.limitId)?.focus();
  });
  return element;
}

/** Return the line for a player who has reached a limit: what the settings say, and where it leads. */
function helpLine(text, url) {
  if (text === "" || url === "") return [text];
  const link = document.createElement("a");
  link.href = url;
  link.textContent = text;
  return [link];
}

/** Return what a setting says, which is in the page's head; "" if it is not set. */
function setting(name) {
  return document.querySelector(`meta[name="${name}"]`)?.content ?? "";
}

function tick() {
  if (levels === null || poll === null) return;
  freshness.tick(Date.now());
  const now = clock.now();
  list.tick(now);
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
find("#unmatched button").addEventListener("click", () => {
  filters.clear();
  find("#name").focus();
});
find("#failed button").addEventListener("click", () => poll.now());
find("#help").replaceChildren(...helpLine(setting("help-text"), setting("help-url")));
window.addEventListener("popstate", open);
find("#signed-out button").addEventListener("click", begin);
find("#sign-out").addEventListener("click", () => {
  signIn.forget();
  showSignedOut("You have signed out.");
});
setInterval(tick, TICK_MS);
begin();
