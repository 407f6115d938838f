import type { ReactElement } from "react";

import { useSession } from "../session/store";
import { texts } from "../texts";
import { openFileDialog, useTouch } from "./fileInputs";
import { Icon } from "./icons";
import { PersistenceSwitch } from "./PersistenceSwitch";

export function EmptyWorklist(): ReactElement {
  return (
    <main
      className="relative flex flex-1 flex-col items-center justify-center gap-8 p-4 py-8 lg:overflow-y-auto"
      id="result"
      tabIndex={-1}
    >
      <div className="w-full max-w-4xl rounded-2xl border-2 border-dashed border-edge bg-surface px-6 py-10 text-center sm:py-14">
        <Icon name="upload" className="mx-auto mb-4 size-10 text-accent" />
        <h2 className="text-2xl font-semibold">{texts.intake.invite}</h2>
        <p className="mt-1 text-quiet">{texts.intake.how}</p>
        <div className="mt-6 flex flex-wrap justify-center gap-3">
          <button
            type="button"
            className="button button-main min-h-11 px-5 text-base"
            onClick={() => {
              openFileDialog("files");
            }}
          >
            {texts.intake.choose}
          </button>
          <OtherWays />
        </div>
        <Limits />
      </div>
      <section aria-label={texts.intake.privacy} className="w-full max-w-4xl">
        <ul className="grid gap-x-8 gap-y-4 text-sm sm:grid-cols-3">
          {texts.intake.facts.map(([fact, meaning]) => (
            <li key={fact}>
              <p className="font-semibold">{fact}</p>
              <p className="mt-1 text-quiet">{meaning}</p>
            </li>
          ))}
        </ul>
        <div className="mt-6 border-t border-line pt-4">
          <PersistenceSwitch />
        </div>
      </section>
    </main>
  );
}

function OtherWays(): ReactElement {
  const touch = useTouch();
  return touch ? (
    <button
      type="button"
      className="button min-h-11 px-5 text-base"
      onClick={() => {
        openFileDialog("camera");
      }}
    >
      <Icon name="camera" />
      {texts.intake.photograph}
    </button>
  ) : (
    <button
      type="button"
      className="button min-h-11 px-5 text-base"
      onClick={() => {
        openFileDialog("folder");
      }}
    >
      <Icon name="folder" />
      {texts.intake.folder}
    </button>
  );
}

/** Two lines are kept free for it, so that nothing moves once the service has answered. */
function Limits(): ReactElement {
  const limits = useSession((session) => session.health?.limits);
  return (
    <p className="mt-6 min-h-10 text-sm text-quiet sm:min-h-5">
      {limits ? texts.intake.limits(limits.formats, limits.max_bytes, limits.max_pixels) : "\u00a0"}
    </p>
  );
}
