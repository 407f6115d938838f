import { reportName, saveFile } from "../export/download";
import type { Item } from "../session/item";
import { getState, setState } from "../session/store";
import { markExported } from "../session/unsaved";
import { texts } from "../texts";

export function togglePin(id: string): void {
  setState({ pinned: getState().pinned === null ? id : null });
}

/** A PDF of one tile, saved; its library is fetched only now. */
export async function report(item: Item): Promise<void> {
  const { verdict } = item;
  if (!verdict) return;
  try {
    const { reportOf } = await import("../export/report");
    saveFile(await reportOf({ ...item, verdict }), reportName(item.name, verdict.request_id));
    markExported([item]);
  } catch {
    setState({ notice: texts.report.failed });
  }
}
