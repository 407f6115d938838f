import type { ReactElement } from "react";

import { percent } from "../../view/numbers";
import type { SlideAnswer } from "../api/types";
import { texts } from "./texts";

type Account = readonly [name: string, mm2: number];

/** Every square millimetre of tissue, in one account. */
export function accountsOf(coverage: SlideAnswer["coverage"]): Account[] {
  const { read, excluded, unreadable, unvisited, all } = texts.coverage;
  const between: Account[] = [
    ...Object.entries(coverage.excluded_mm2).map(([code, mm2]): Account => [excluded(code), mm2]),
    [unreadable, coverage.unreadable_mm2],
    [unvisited, coverage.unvisited_mm2],
  ];
  return [
    [read, coverage.read_mm2],
    ...between.filter(([, mm2]) => mm2 > 0),
    [all, coverage.tissue_mm2],
  ];
}

export function Coverage({ coverage }: { coverage: SlideAnswer["coverage"] }): ReactElement {
  const { title, account, mm2: unit, share, least } = texts.coverage;
  return (
    <section>
      <h3 className="heading mb-2">{title}</h3>
      <table className="w-full text-sm tabular-nums">
        <thead className="text-left text-quiet">
          <tr>
            <th className="font-normal">{account}</th>
            <th className="text-right font-normal">{unit}</th>
            <th className="text-right font-normal">{share}</th>
          </tr>
        </thead>
        <tbody>
          {accountsOf(coverage).map(([name, mm2]) => (
            <tr key={name} className="border-t border-line last:font-semibold">
              <th scope="row" className="py-1 text-left font-[inherit]">
                {name}
              </th>
              <td className="text-right">{mm2.toFixed(2)}</td>
              <td className="text-right">
                {coverage.tissue_mm2 > 0 ? percent(mm2 / coverage.tissue_mm2) : "–"}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="mt-1 text-sm text-quiet">{least(coverage.least_share_for_no)}</p>
    </section>
  );
}
