import type { ReactElement } from "react";

import type { Finding } from "../api/types";
import { texts } from "../texts";
import { percent } from "./numbers";

interface Props {
  findings: readonly Finding[];
  /** How the verdict follows from them, in a sentence; null where it does not. */
  rule: string | null;
}

export function Findings({ findings, rule }: Props): ReactElement | null {
  if (findings.length === 0) return null;
  return (
    <section>
      <h3 className="heading mb-2">{texts.verdict.findings}</h3>
      <ul className="grid gap-2 text-sm">
        {findings.map(({ name, probability }) => (
          <li key={name}>
            <span className="flex justify-between gap-3">
              <span className="min-w-0 break-words">{name}</span>
              <span className="tabular-nums text-quiet">{percent(probability)}</span>
            </span>
            <span
              className="mt-1 block h-1.5 overflow-hidden rounded-full bg-sunken"
              aria-hidden="true"
            >
              <span
                className="block h-full rounded-full bg-accent"
                style={{ width: `${probability * 100}%` }}
              />
            </span>
          </li>
        ))}
      </ul>
      {rule && <p className="mt-2 text-sm text-quiet">{rule}</p>}
    </section>
  );
}
