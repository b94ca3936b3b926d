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
const BUDGET = [
  ["Account", (b) => element("strong", b.account)],
  ["Limit", (b) => b.limit],
  ["Whose", (b) => b.whose],
  ["Used", (b) => b.used, "number"],
  ["By the guard", (b) => b.guard, "number"],
  ["Of", (b) => b.most, "number"],
  ["Left", (b) => b.left, "number"],
  ["Open legs", (b) => b.legs, "number"],
  ["Flat within", (b) => b.flat, "number"],
];
const TREE = [
  ["Path", (n) => n.path],
  ["Class", (n) => n.class],
  ["Status", (n) => element("span", n.status, n.status)],
  ["Restarts", (n) => n.restarts, "number"],
  ["Waiting", (n) => n.mailbox, "number"],
];

function showHead(head) {
  const troubles = head.troubles.map((text) => element("li", text));
  if (head.more_troubles) troubles.push(element("li", `and ${head.more_troubles} more`));
  const word = troubles.length ? "not ready" : head.needs_you ? "needs you" : "on guard";
  byId("mode").textContent = head.mode;
  setState(word, troubles.length || head.needs_you ? "bad" : "good");
  document.title = `${head.alerts ? `(${head.alerts}) ` : ""}Sexton: ${word}`;
  byId("troubles").replaceChildren(...troubles);
}

function showPart(name, part, made) {
  const more = part.count - part.shown.length;
  byId(`${name}-count`).textContent = more > 0 ? `${part.shown.length} of ${part.count}` : part.count;
  const rest = more > 0 ? [element("p", `and ${more} more, less urgent`, "dim")] : [];
  byId(name).replaceChildren(...made, ...rest);
}

const PARTS = {
  head: showHead,
  alerts: (part) => showPart("alerts", part,
    part.count ? part.shown.map(alertCard) : [element("p", "Nothing is open.", "dim")]),
  accounts: (part) => showPart("accounts", part, part.shown.map(accountCard)),
  positions: (part) => showPart("positions", part,
    [table(POSITIONS, part.shown, "The ledger has no open position.")]),
  budget: (part) => showPart("budget", part, [table(BUDGET, part.shown, "No limit is known.")]),
  tree: (part) => showPart("tree", part, [table(TREE, part.shown, "")]),
};

function setState(text, kind) {
  const tag = byId("state");
  if (tag.textContent !== text) tag.textContent = text;
  tag.className = `tag ${kind}`;
}

const source = new EventSource("/events");
let head = null;
for (const [name, show] of Object.entries(PARTS)) {
  source.addEventListener(name, (event) => {
    const part = JSON.parse(event.data);
    if (name === "head") head = part;
    show(part);
  });
}
source.addEventListener("beat", (event) => {
  if (head && byId("state").textContent === "no connection") showHead(head);
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
