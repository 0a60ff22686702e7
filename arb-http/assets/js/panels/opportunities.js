// What funding pays after costs, best first, over all perpetuals.

import { at, dress, follow, h, nothing, something, write } from "../dom.js";
import { bps, coin, drift, number, tone } from "../format.js";
import { hear } from "../state.js";

const SHOWN = 40;

function row() {
  const cells = Array.from({ length: 4 }, () => h("td", { class: "num" }));
  const place = h("td", { class: "num" });
  const name = h("th", { scope: "row" });
  return {
    element: h("tr", null, place, name, cells),
    update([value, index]) {
      write(place, index + 1);
      write(name, coin(value.symbol));
      name.title = value.symbol;
      write(cells[0], drift(value.net_annualized, 1));
      dress(cells[0], `num first ${tone(value.net_annualized)}`);
      write(cells[1], drift(value.annualized, 1));
      write(cells[2], bps(value.tradable_basis_bps ?? value.basis_bps));
      write(cells[3], value.break_even_hours === null ? "–" : `${number(value.break_even_hours)} h`);
    },
  };
}

/** Draws at each `opportunities` message. */
export function mount() {
  const body = at("opportunities-rows");
  const count = at("opportunities-count");
  hear("opportunities", (list) => {
    const ranked = list.slice(0, SHOWN).map((value, index) => [value, index]);
    const paying = list.filter((value) => value.net_annualized > 0).length;
    write(count, `${paying} of ${list.length} pay after costs`);
    if (ranked.length === 0) return nothing(body, "No rates yet.", 6);
    something(body);
    follow(body, ranked, ([value]) => value.symbol, row);
  });
}
