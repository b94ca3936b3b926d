// Shows what the guard says, and keeps ages running. Text only ever enters as text.
"use strict";

const byId = (id) => document.getElementById(id);
let now = Date.now();
let lastBeat = 0;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function age(instant) {
  if (!instant) return "never";
  const seconds = Math.max(0, Math.round((now - Date.parse(instant)) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

function ageOf(instant, suffix) {
  const made = element("time", age(instant) + (instant ? suffix : ""));
  if (instant) {
    made.dateTime = instant;
    made.dataset.suffix = suffix;
    made.title = instant;
  }
  return made;
}

function table(columns, rows, nothing) {
  if (!rows.length) return element("p", nothing, "dim");
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const [name, , kind] of columns) {
    const cell = element("th", name, kind);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const [name, value, kind] of columns) {
      const cell = line.insertCell();
      const shown = value(row);
      cell.dataset.name = name;
      cell.append(shown instanceof Node ? shown : String(shown));
      cell.className = [kind, cell.textContent ? "" : "empty"].filter(Boolean).join(" ");
    }
  }
  return made;
}

function line(label, text) {
  const made = element("p");
  made.append(element("span", `${label}: `, "dim"), text);
  return made;
}

function alertCard(alert) {
  const made = element("article", undefined, `card ${alert.level}`);
  const head = element("div", undefined, "head");
  head.append(element("strong", alert.title), element("span", alert.level, alert.level));
  made.append(head);
  const where = element("p", `#${alert.id} ${alert.type} ${alert.where} `, "dim");
  where.append(ageOf(alert.raised_at, " ago"));
  made.append(where);
  for (const [label, text] of [["Seen", alert.seen], ["Done", alert.done], ["Next", alert.next]]) {
    if (text) made.append(line(label, text));
  }
  if (alert.acked_by) made.append(line("Acknowledged by", alert.acked_by));
  return made;
}

function accountCard(account) {
  const made = element("article", undefined, "card");
  const head = element("div", undefined, "head");
  head.append(element("strong", account.name), element("span", account.status, account.status));
  made.append(head, element("p", account.exchange, "dim"));
  const read = element("p", `${account.positions} positions, read `);
  read.append(ageOf(account.read_at, " ago"));
  made.append(read);
  if (account.why) made.append(line("Why", account.why));
  for (const name of ["orphans", "naked", "mismatches"]) {
    if (account[name].length) {
      made.append(element("p", `${name}: ${account[name].join(", ")}`, "critical"));
    }
  }
  return made;
}

const POSITIONS = [
  ["Symbol", (p) => element("strong", p.symbol)],
  ["Account", (p) => p.account],
  ["Side", (p) => p.side],
  ["Quantity", (p) => p.quantity, "number"],
  ["Entry", (p) => p.entry, "number"],
  ["Age", (p) => ageOf(p.opened_at, ""), "number"],
  ["Phase", (p) => p.phase],
  ["Target", (p) => p.target, "number"],
  ["Price", (p) => p.price, "number"],
  ["Now", (p) => (p.held ? "held" : p.status)],
];
const TREE = [
  ["Path", (n) => n.path],
  ["Class", (n) => n.class],
  ["Status", (n) => element("span", n.status, n.status)],
  ["Restarts", (n) => n.restarts, "number"],
  ["Waiting", (n) => n.mailbox, "number"],
];

function show(view) {
  const critical = view.alerts.some((alert) => alert.level === "critical" && !alert.acked_by);
  const word = view.troubles.length ? "not ready" : critical ? "needs you" : "on guard";
  byId("mode").textContent = view.mode;
  setState(word, view.troubles.length || critical ? "bad" : "good");
  document.title = `${view.counts.alerts ? `(${view.counts.alerts}) ` : ""}Sexton: ${word}`;
  byId("troubles").replaceChildren(...view.troubles.map((text) => element("li", text)));
  for (const name of ["alerts", "positions", "tree"]) {
    const shown = view[name].length;
    const all = view.counts[name];
    byId(`${name}-count`).textContent = shown < all ? `${shown} of ${all}` : all;
  }
  const alerts = view.alerts.map(alertCard);
  byId("alerts").replaceChildren(...(alerts.length ? alerts : [element("p", "Nothing is open.", "dim")]));
  byId("accounts").replaceChildren(...view.accounts.map(accountCard));
  byId("positions").replaceChildren(table(POSITIONS, view.positions, "The ledger has no open position."));
  byId("tree").replaceChildren(table(TREE, view.tree, ""));
}

function setState(text, kind) {
  const tag = byId("state");
  if (tag.textContent !== text) tag.textContent = text;
  tag.className = `tag ${kind}`;
}

const source = new EventSource("/events");
let shown = null;
source.addEventListener("view", (event) => {
  shown = JSON.parse(event.data);
  show(shown);
});
source.addEventListener("beat", (event) => {
  if (shown && byId("state").textContent === "no connection") show(shown);
  now = Date.parse(event.data);
  lastBeat = performance.now();
  byId("at").textContent = `${event.data.slice(11, 19)} UTC`;
  for (const time of document.querySelectorAll("time[datetime]")) {
    time.textContent = age(time.dateTime) + time.dataset.suffix;
  }
});
setInterval(() => {
  // What is shown may be long past: say so, rather than look calm.
  if (lastBeat && performance.now() - lastBeat > 10000) setState("no connection", "bad");
}, 1000);
