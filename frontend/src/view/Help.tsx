import { type ReactElement, useRef } from "react";

import { texts } from "../texts";
import { Dialog } from "./Dialog";
import { Icon } from "./icons";
import { setSingleKeys, useListedKeys, useSingleKeys } from "./shortcuts";

export const HELP = "open-help";

export function HelpDialog(): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const single = useSingleKeys();
  const listed = useListedKeys();
  return (
    <>
      <button
        type="button"
        id={HELP}
        className="button button-icon"
        aria-label={texts.help.title}
        title={texts.help.title}
        onClick={() => dialog.current?.showModal()}
      >
        <Icon name="help" />
      </button>
      <Dialog ref={dialog} title={texts.help.title}>
        <dl className="grid grid-cols-[max-content_1fr] items-baseline gap-x-4 gap-y-1.5 text-sm">
          {listed.map(([keys, does]) => (
            <div key={keys} className="contents">
              <dt>
                <kbd className="rounded border border-line bg-sunken px-1.5 py-0.5 font-sans text-xs">
                  {keys}
                </kbd>
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
        <label className="mt-4 flex items-center gap-2 border-t border-line pt-4 text-sm">
          <input
            type="checkbox"
            className="size-4 accent-accent"
            checked={single}
            onChange={(event) => {
              setSingleKeys(event.target.checked);
            }}
          />
          {texts.help.single}
        </label>
      </Dialog>
    </>
  );
}
