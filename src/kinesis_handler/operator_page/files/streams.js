/** How far each shard of each stream has been read. */

import { arrange } from "/operator/arrange.js";
import { write } from "/operator/rows.js";
import { ago, moment, span } from "/operator/words.js";

const shownStreams = new Map(); // stream → its element

/** Show streams in an element; each keeps its own as long as it is there. */
export function showStreams(list, template, streams, now) {
  const elements = streams.map((each) => {
    const made = shownStreams.get(each.stream) ?? template.content.firstElementChild.cloneNode(true);
    shownStreams.set(each.stream, made);
    fill(made, each, now);
    return made;
  });
  arrange(list, elements, list);
}

function fill(element, { stream, readBy, seenAt, isSilent, shards }, now) {
  write(element.querySelector("h3"), stream);
  const seen = isSilent ? `, which has not been seen since ${moment(seenAt)}` : "";
  write(element.querySelector(".facts"), readBy === "" ? "Read by no process." : `Read by ${readBy}${seen}.`);
  element.classList.toggle("silent", isSilent);
  element.querySelector(".scrolled").setAttribute("aria-label", `Shards of ${stream}`);
  const body = element.querySelector("tbody");
  while (body.rows.length > shards.length) body.deleteRow(-1);
  shards.forEach((shard, index) => {
    const row = body.rows[index] ?? newRow(body);
    const cells = [shard.shard, behind(shard), shard.arrived === null ? "" : moment(shard.arrived), ago(now - shard.moved), shard.goesOn];
    cells.forEach((text, column) => write(row.children[column], text));
  });
}

/** Say how far behind its tip a shard was when its checkpoint was moved last. */
function behind({ hasEnded, behindMs }) {
  if (hasEnded) return "read to its end";
  if (behindMs === null) return "unknown";
  return behindMs === 0 ? "at the tip" : span(behindMs);
}

function newRow(body) {
  const row = body.insertRow();
  const header = document.createElement("th");
  header.scope = "row";
  row.append(header);
  for (let column = 1; column < 5; column += 1) row.insertCell();
  return row;
}
