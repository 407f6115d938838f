import type { ReactElement, ReactNode } from "react";

/** Names and what they stand for, in two columns. Empty ones are left out. */
export function DefinitionList({
  facts,
}: {
  facts: readonly (readonly [string, ReactNode])[];
}): ReactElement {
  return (
    <dl className="grid grid-cols-[max-content_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
      {facts
        .filter(([, value]) => value !== null && value !== "")
        .map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-quiet">{name}</dt>
            <dd className="break-words tabular-nums">{value}</dd>
          </div>
        ))}
    </dl>
  );
}
