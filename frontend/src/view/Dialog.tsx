import { forwardRef, type ReactNode, useId } from "react";

import { texts } from "../texts";
import { Icon } from "./icons";

/** A modal dialog: the browser itself keeps focus inside and Escape closes it. */
export const Dialog = forwardRef<HTMLDialogElement, { title: string; children: ReactNode }>(
  function Dialog({ title, children }, ref) {
    const heading = useId();
    return (
      <dialog
        ref={ref}
        aria-labelledby={heading}
        className="w-[min(32rem,calc(100vw-2rem))] rounded-xl border border-line bg-surface p-5 text-left"
      >
        <form method="dialog" className="mb-3 flex items-center justify-between gap-3">
          <h2 id={heading} className="text-lg font-semibold">
            {title}
          </h2>
          <button className="button button-icon" aria-label={texts.action.close}>
            <Icon name="close" />
          </button>
        </form>
        {children}
      </dialog>
    );
  },
);
