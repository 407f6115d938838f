import { type ReactElement, useEffect, useState } from "react";

import { carried } from "../intake/found";
import { take } from "../session/intake";
import { texts } from "../texts";
import { Icon } from "./icons";

/** The whole window takes drops and pastes; true while something is held over it. */
export function useDropping(): boolean {
  const [dropping, setDropping] = useState(false);
  useEffect(() => {
    const give = (transfer: DataTransfer | null): void => {
      if (transfer?.types.includes("Files")) void carried(transfer).then(take);
    };
    const stop = new AbortController();
    const on = <Name extends keyof WindowEventMap>(
      name: Name,
      heard: (event: WindowEventMap[Name]) => void,
    ): void => {
      window.addEventListener(name, heard, { signal: stop.signal });
    };
    on("dragover", (event) => {
      event.preventDefault();
      setDropping(event.dataTransfer?.types.includes("Files") ?? false);
    });
    on("dragleave", (event) => {
      if (event.relatedTarget === null) setDropping(false);
    });
    on("drop", (event) => {
      event.preventDefault();
      setDropping(false);
      give(event.dataTransfer);
    });
    on("paste", (event) => {
      give(event.clipboardData);
    });
    return () => {
      stop.abort();
    };
  }, []);
  return dropping;
}

export function DropOverlay(): ReactElement {
  return (
    <div className="pointer-events-none fixed inset-0 z-40 bg-ground/90 p-4">
      <div className="flex h-full flex-col items-center justify-center gap-3 rounded-2xl border-2 border-dashed border-accent text-xl font-semibold text-accent">
        <Icon name="upload" className="size-10" />
        {texts.intake.release}
      </div>
    </div>
  );
}
