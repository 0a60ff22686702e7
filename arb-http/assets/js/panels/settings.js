// What an operator may change while the engine runs. Others read it.

import { change } from "../api.js";
import { toast } from "../alerts.js";
import { confirmed } from "../dialog.js";
import { at, follow, h, mark, write } from "../dom.js";
import { book, hear, known, may, tell } from "../state.js";

const trimmed = (value) => String(Number(value.toFixed(8)));

function wanted(form, strategies) {
  const figure = (name) => Number(form.elements[name].value.replace(",", "."));
  return {
    enabled: form.elements.enabled.checked,
    enabled_strategies: strategies.filter((name) => form.querySelector(`[data-strategy="${CSS.escape(name)}"]`)?.checked),
    initial_balance: figure("initial_balance"),
    risk_per_trade: Number((figure("risk_per_trade") / 100).toFixed(10)),
    max_positions: figure("max_positions"),
    tier_multiplier: { light: known.config.tier_multiplier.light, standard: figure("standard"), heavy: figure("heavy") },
  };
}

function differences(next) {
  const now = known.config;
  const rows = [
    ["Entries", now.enabled ? "allowed" : "paused", next.enabled ? "allowed" : "paused"],
    ["Strategies", now.enabled_strategies.join(", ") || "none", next.enabled_strategies.join(", ") || "none"],
    ["Initial balance", now.initial_balance, next.initial_balance],
    ["Risk per trade", `${trimmed(now.risk_per_trade * 100)} %`, `${trimmed(next.risk_per_trade * 100)} %`],
    ["Positions at most", now.max_positions, next.max_positions],
    ["Size, standard", now.tier_multiplier.standard, next.tier_multiplier.standard],
    ["Size, heavy", now.tier_multiplier.heavy, next.tier_multiplier.heavy],
  ];
  return rows.filter(([, before, after]) => before !== after).map(([name, before, after]) => `${name}: ${before} → ${after}`);
}

function flaw(form) {
  const fields = ["initial_balance", "risk_per_trade", "max_positions", "standard", "heavy"];
  fields.forEach((name) => mark(form.elements[name], "aria-invalid", null));
  const bad = fields.find((name) => !(Number(form.elements[name].value.replace(",", ".")) > 0));
  if (!bad) return null;
  form.elements[bad].setAttribute("aria-invalid", "true");
  form.elements[bad].focus();
  return `${form.elements[bad].parentNode.firstChild.textContent}: a number above 0 is needed.`;
}

/** Fills the form from `config`, unless somebody is typing in it. */
export function mount() {
  const form = at("settings-form");
  const fields = at("settings-fields");
  const group = at("settings-strategies");
  const complaint = at("settings-complaint");
  const note = at("settings-note");
  let names = [];

  const fill = () => {
    const config = known.config;
    if (!config) return;
    form.elements.enabled.checked = config.enabled;
    form.elements.initial_balance.value = trimmed(config.initial_balance);
    form.elements.risk_per_trade.value = trimmed(config.risk_per_trade * 100);
    form.elements.max_positions.value = config.max_positions;
    form.elements.standard.value = trimmed(config.tier_multiplier.standard);
    form.elements.heavy.value = trimmed(config.tier_multiplier.heavy);
    follow(group, names, (name) => name, (name) => ({ element: h("label", { class: "check" }, h("input", { type: "checkbox", "data-strategy": name }), name) }));
    for (const box of group.querySelectorAll("input")) box.checked = config.enabled_strategies.includes(box.dataset.strategy);
    fields.disabled = !may("trader");
    write(note, may("trader") ? "kept over restarts" : "traders may change them");
    write(complaint, "");
  };
  hear("config", () => !form.contains(document.activeElement) && fill());
  hear("known-names", ({ strategies }) => {
    names = strategies;
    if (!form.contains(document.activeElement)) fill();
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    fill();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    write(complaint, flaw(form) ?? "");
    if (complaint.textContent) return;
    const next = wanted(form, names);
    const facts = differences(next);
    if (facts.length === 0) return write(complaint, "Nothing is changed.");
    await confirmed({ title: "Apply these settings?", text: "They take effect at the next decision and outlive a restart. Open positions keep the exits they were opened with.", facts, action: "Apply" }, async () => {
      tell("config", await change("PUT", `${book()}/config`, next));
      fill();
      toast("The settings are in force from the next decision.", "ok");
    });
  });
}
