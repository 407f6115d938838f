import { type ReactElement, useRef } from "react";

import { toCsv, toJson } from "../export/tables";
import { exportName, saveFile } from "../export/download";
import { removeTiles } from "../session/removal";
import { getState, useSession } from "../session/store";
import { markExported } from "../session/unsaved";
import { texts } from "../texts";
import { Dialog } from "./Dialog";
import { Icon } from "./icons";
import { PersistenceSwitch } from "./PersistenceSwitch";

function exportAs(kind: "csv" | "json"): void {
  const { items } = getState();
  saveFile(kind === "csv" ? toCsv(items) : toJson(items), exportName("worklist", kind));
  markExported(items);
}

export function WorklistFoot(): ReactElement {
  return (
    <footer className="border-t border-line bg-surface p-3">
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <span className="text-xs text-quiet">{texts.worklist.exportAs}</span>
        <button
          type="button"
          className="button min-h-8"
          onClick={() => {
            exportAs("csv");
          }}
        >
          {texts.worklist.csv}
        </button>
        <button
          type="button"
          className="button min-h-8"
          onClick={() => {
            exportAs("json");
          }}
        >
          {texts.worklist.json}
        </button>
        <span className="flex-1" />
        <ClearAll />
      </div>
      <PersistenceSwitch />
    </footer>
  );
}

function ClearAll(): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const count = useSession((session) => session.items.length);
  const clear = (): void => {
    dialog.current?.close();
    removeTiles(getState().items.map((item) => item.id));
  };
  return (
    <>
      <button type="button" className="button min-h-8" onClick={() => dialog.current?.showModal()}>
        <Icon name="trash" className="size-4" />
        {texts.worklist.clear}
      </button>
      <Dialog ref={dialog} title={texts.worklist.clear}>
        <p>{texts.worklist.clearSure(count)}</p>
        <p className="mt-1 text-sm text-quiet">{texts.worklist.clearMeans}</p>
        <div className="mt-4 flex justify-end gap-2">
          <button type="button" className="button" onClick={() => dialog.current?.close()}>
            {texts.worklist.clearNo}
          </button>
          <button type="button" className="button button-main" onClick={clear}>
            {texts.worklist.clearYes}
          </button>
        </div>
      </Dialog>
    </>
  );
}
