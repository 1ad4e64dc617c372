/** Puts the page together: a poll reads what there is, sections show it, a dialog asks before anything is done. */

import { Client, OfflineError, ProblemError } from "/operator/client.js";
import { Confirmation } from "/operator/confirmation.js";
import { Outcomes, added } from "/operator/outcomes.js";
import { Poll } from "/operator/poll.js";
import { Rows, showRecords, write } from "/operator/rows.js";
import { SignIn, SignInError } from "/operator/sign_in.js";
import { showStreams } from "/operator/streams.js";
import { ago, counted, moment, number, sentence, span } from "/operator/words.js";

const RETURN_PATH = "/operator/signed-in";
const RETRY_MS = 6_000;
const SOON_MS = 600; // while something is under way
const STALE_MS = 10_000;

const find = (selector) => document.querySelector(selector);
const signIn = new SignIn({
  issuer: setting("oidc-issuer"),
  clientId: setting("oidc-client-id"),
  scope: setting("oidc-scope"),
  returnPath: RETURN_PATH,
});
const client = new Client(signIn);
const confirmation = new Confirmation(find("dialog"), () => poll.now());
const outcomes = new Outcomes(find("#outcomes"));
const parked = new Rows(find("#parked"), find("template#parked-row"), (row, item) => {
  row.querySelector(".redrive").addEventListener("click", () => askForRedrive([`Redrive what waits of `, ...keyOf(item())], { key: item().key }));
  row.querySelector(".drop").addEventListener("click", () => askForDrop(item()));
  showRecords(row.querySelector("details"), () => client.records({ partition: item().key[0], sort: item().key[1] }));
});
const waiting = new Rows(find("#waiting"), find("template#waiting-row"), (row, item) => {
  row.querySelector(".redrive").addEventListener("click", () => askForRedrive([`Redrive ${counted(item().records, "record")}`], { group: item().group }));
  showRecords(row.querySelector("details"), () => client.records({ group: item().group }));
});
const done = new Rows(find("#done"), find("template#job-row"), () => undefined);
let poll = null;
let all = []; // all that waits, in words
let checkedAt = null; // when there were figures last, by the reader's clock
let failedSince = null;
let running = false; // whether something was under way when it was shown last
let ended = null; // ids of what had ended by then; null before the first

/** Sign the reader in if that is needed, and begin. */
async function begin() {
  try {
    if (location.pathname === RETURN_PATH) history.replaceState(null, "", await signIn.finish());
    if (signIn.isNeeded) {
      await signIn.begin(location.pathname);
      return; // the browser leaves for the issuer
    }
    showOnly(null);
    poll?.stop();
    poll = new Poll(refresh);
    poll.now();
  } catch (error) {
    if (!(error instanceof SignInError)) throw error;
    showSignedOut(error.message);
  }
}

/** Read all and show it; return how long to wait if that failed, else 0. */
async function refresh(signal) {
  try {
    const state = await client.state(signal);
    checkedAt = Date.now();
    failedSince = null;
    write(find("#banner"), "");
    show(state);
    if (running) setTimeout(() => poll?.now(), SOON_MS);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    if (!(error instanceof ProblemError || error instanceof OfflineError)) throw error;
    if (signIn.isNeeded) showSignedOut("You have been signed out, as happens after a while.");
    else if (checkedAt === null || error.status === 403) showFailure(error);
    else {
      failedSince ??= checkedAt;
      write(find("#banner"), `No new figures since ${moment(failedSince)}. ${sentence(error.message)} These are the last known ones.`);
    }
    tick();
    return RETRY_MS;
  }
}

function show(state) {
  showOnly("#shown");
  find(".who").hidden = state.operator === "";
  write(find(".who span"), state.operator);
  write(find("#summary"), summary(state));
  const last = added(state.sources).slice(-2);
  const age = Math.max(-1, ...last.map((each) => each.age));
  write(find("#figure-records"), state.sources.length === 0 ? "–" : number(last.reduce((sum, each) => sum + each.total, 0)));
  write(find("#figure-age"), age < 0 ? "–" : span(age));
  write(find("#figure-parked"), "parked" in state.problems || "quarantine" in state.problems ? "unknown" : number(state.parkedCount));
  write(find("#figure-waiting"), "quarantine" in state.problems ? "unknown" : number(state.records));
  showSection("#parked", state.problems.parked ?? state.problems.quarantine, state.parkedCount, state.parked.length, "keys: `kinesis-handler parked list` has all");
  parked.show(state.parked, (each) => JSON.stringify([each.reader, ...each.key]), fillParked);
  showSection("#waiting", state.problems.quarantine, state.waitingCount, state.waiting.length, "reasons: `kinesis-handler quarantine list` has all");
  find("#waiting .all").hidden = state.records + state.parkedCount === 0;
  all = [state.parkedCount > 0 && counted(state.parkedCount, "parked key"), state.records > 0 && counted(state.records, "record")];
  waiting.show(state.waiting, (each) => each.group, fillWaiting);
  write(find("#waiting-title span"), state.records > 0 ? counted(state.records, "record") : "");
  showRemarks([...state.unreadable.map((each) => `not read: ${each}`), ...state.remarks]);
  showJobs(state.jobs, state.at);
  outcomes.show(state.sources, state.at);
  find("#streams .problem").hidden = !("streams" in state.problems);
  write(find("#streams .problem"), state.problems.streams ? sentence(state.problems.streams) : "");
  find("#streams .none").hidden = state.streams.length > 0 || "streams" in state.problems;
  showStreams(find("#streams .list"), find("template#stream"), state.streams, state.at);
  tick();
}

/** Say in one sentence whether anybody has to do anything. */
function summary({ parkedCount, records, problems, unreadable }) {
  if (Object.keys(problems).length > 0) return "Not all can be seen";
  const parts = [];
  if (parkedCount > 0) parts.push(`${counted(parkedCount, "key")} ${parkedCount === 1 ? "is" : "are"} parked`);
  if (records > 0) parts.push(`${counted(records, "record")} ${records === 1 ? "waits" : "wait"} in the quarantine`);
  if (unreadable.length > 0) parts.push("some objects cannot be read");
  return parts.length === 0 ? "Nothing waits" : parts.join(", ");
}

function showSection(selector, problem, count, shown, rest) {
  const part = (inner) => find(`${selector} ${inner}`);
  part(".problem").hidden = problem === undefined;
  write(part(".problem"), problem === undefined ? "" : sentence(problem));
  part(".none").hidden = count > 0 || problem !== undefined;
  part(".about").hidden = count === 0;
  write(part("h2 span"), count > 0 ? number(count) : "");
  part(".more").hidden = count <= shown;
  write(part(".more"), count > shown ? `… and ${number(count - shown)} more ${rest}` : "");
}

function fillParked(row, each) {
  const [partition, sort] = row.querySelectorAll("h3 bdi");
  write(partition, each.shown[0]);
  write(sort, each.shown[1]);
  write(row.querySelector(".why"), each.reason);
  write(row.querySelector(".facts"), `${each.count} ${each.count === "1" ? "event waits" : "events wait"} since ${moment(each.since)} · ${each.reader}`);
  row.classList.toggle("incomplete", each.isIncomplete);
  name(row, each.shown.join(" "));
}

function fillWaiting(row, each) {
  write(row.querySelector("h3"), each.error);
  write(row.querySelector(".why"), each.reason);
  const [first, last] = [moment(each.first), moment(each.last)];
  const when = first === last ? first : `${first} to ${last}`;
  write(row.querySelector(".facts"), `${counted(each.records, "record")}, arrived ${when}`);
  name(row, `${each.error}: ${each.reason}`);
}

/** Give buttons of the same words names that differ, for those who hear them. */
function name(row, what) {
  for (const button of row.querySelectorAll("button, summary")) button.setAttribute("aria-label", `${button.textContent} ${what}`);
}

function showRemarks(remarks) {
  const list = find("#waiting .remarks");
  if (list.dataset.shown === JSON.stringify(remarks)) return;
  list.dataset.shown = JSON.stringify(remarks);
  list.replaceChildren(...remarks.map(listItem));
}

function showJobs(jobs, now) {
  find("#done").hidden = jobs.length === 0;
  done.show(jobs, (each) => each.id, (row, each) => {
    const isRunning = each.state === "running";
    row.dataset.state = each.needsAttention ? "attention" : each.state;
    write(row.querySelector("h3"), isRunning ? `${each.kind} is under way` : each.kind);
    const said = isRunning ? [`${counted(each.sent, "record")} so far`] : each.said;
    const list = row.querySelector(".said");
    if (list.textContent !== said.map(sentence).join("")) list.replaceChildren(...said.map(sentence).map(listItem));
    write(row.querySelector(".facts"), `by ${each.by}, ${ago(now - each.at)}`);
  });
  running = jobs.some((each) => each.state === "running");
  const over = jobs.filter((each) => each.state !== "running");
  const news = ended === null ? [] : over.filter((each) => !ended.has(each.id));
  if (news.length > 0) write(find("#announcement"), news.map((each) => `${each.kind}: ${each.said.map(sentence).join(" ")}`).join(" "));
  ended = new Set(over.map((each) => each.id));
}

function askForRedrive(what, request) {
  confirmation.ask({
    question: [...what, " through the handler?"],
    explained: "They are sent in the order of the stream, a parked key as a whole. What succeeds is marked as done; what does not stays where it is.",
    answer: "Redrive",
    begin: (id) => client.begin("redrive", { id, ...request }),
  });
}

function askForDrop(each) {
  confirmation.ask({
    question: [`Give up ${counted(each.inQuarantine, "parked event")} of `, ...keyOf(each), "?"],
    explained: "None is ever applied, and the key goes on without them. They stay in the quarantine, marked as dropped, with who and why.",
    answer: "Drop",
    isDrop: true,
    begin: (id, because) => client.begin("drop", { id, key: each.key, because }),
  });
}

/** Return a key as nodes that turn round nothing but themselves. */
function keyOf({ shown }) {
  const [partition, sort] = shown.map((text) => {
    const made = document.createElement("bdi");
    made.textContent = text;
    return made;
  });
  return [partition, " ", sort];
}

function showSignedOut(why) {
  if (location.pathname === RETURN_PATH) history.replaceState(null, "", "/operator");
  leave();
  showOnly("#signed-out");
  write(find("#signed-out p"), why);
}

function showFailure(error) {
  if (error.status === 403) leave();
  showOnly("#failed");
  find("#failed button").hidden = error.status === 403;
  find(".who").hidden = !signIn.isDone;
  write(find("#failed p"), sentence(error.message));
}

/** Stop, and show nothing of what was there. */
function leave() {
  poll?.stop();
  poll = null;
  confirmation.close();
  checkedAt = null;
  find(".who").hidden = true;
}

function showOnly(selector) {
  for (const each of ["#shown", "#signed-out", "#failed"]) find(each).hidden = each !== selector;
}

function tick() {
  const age = Date.now() - checkedAt;
  find("#freshness").hidden = checkedAt === null;
  find("#freshness").dataset.state = failedSince !== null ? "offline" : age > STALE_MS ? "stale" : "live";
  write(find("#freshness .text"), checkedAt === null ? "" : `Checked ${ago(age)}`);
}

function listItem(text) {
  const item = document.createElement("li");
  item.dir = "auto";
  item.textContent = text;
  return item;
}

/** Return what a setting says, which is in the page's head; "" if it is not set. */
function setting(name) {
  return document.querySelector(`meta[name="${name}"]`)?.content ?? "";
}

find("#waiting .all").addEventListener("click", () => askForRedrive([`Redrive all: ${all.filter(Boolean).join(" and ")}`, ","], {}));
find("#failed button").addEventListener("click", () => poll.now());
find("#signed-out button").addEventListener("click", begin);
find("#sign-out").addEventListener("click", () => {
  signIn.forget();
  showSignedOut("You have signed out.");
});
setInterval(tick, 1_000);
begin();
