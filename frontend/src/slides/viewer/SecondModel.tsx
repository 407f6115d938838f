import type { ReactElement } from "react";

import type { SlideAnswer } from "../api/types";
import { goTo } from "./actions";
import { Crop } from "./Crop";
import { Opinion } from "./Gallery";
import { texts } from "./texts";

/** What the second model was shown outside of regions, and what both said of the slide. */
export function SecondModel({
  cascade,
}: {
  cascade: NonNullable<SlideAnswer["cascade"]>;
}): ReactElement {
  const elsewhere = cascade.patches.filter(({ region }) => region === null);
  return (
    <section>
      <h3 className="heading mb-2">{texts.cascade.title}</h3>
      <p className="text-sm">{cascade.sentence}</p>
      {elsewhere.length > 0 && (
        <details className="mt-2 text-sm">
          <summary>{texts.cascade.elsewhere}</summary>
          <ol className="mt-2 grid gap-2">
            {elsewhere.map((patch, at) => (
              <li key={at} className="flex items-start gap-3">
                <button
                  type="button"
                  aria-label={texts.cascade.place(at + 1)}
                  onClick={() => {
                    goTo(patch.box);
                  }}
                >
                  <Crop box={patch.box} />
                </button>
                <Opinion model={cascade.model} patch={patch} />
              </li>
            ))}
          </ol>
        </details>
      )}
    </section>
  );
}
