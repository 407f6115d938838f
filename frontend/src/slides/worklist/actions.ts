import { saveFile } from "../../export/download";
import { checkHealthNow } from "../../session/health";
import { keyRequestOf, sentenceOf } from "../../session/problems";
import { setState as setSession } from "../../session/store";
import { requestBlob, type Refused, type Result } from "../api/request";
import {
  cancelAllReadings,
  cancelReading,
  readAll as requestAll,
  setPaused as requestPause,
  startReading,
} from "../api/slides";
import type { Slide, SlideState } from "../api/types";
import { refresh, replaceSlide } from "./store";

/** What did not work, where a person sees it; a missing key is asked for. */
export function reportRefusal(refused: Refused): void {
  if (refused.is === "lost") {
    checkHealthNow();
    return;
  }
  const keyRequest = keyRequestOf(refused.problem);
  setSession(keyRequest === null ? { notice: sentenceOf(refused.problem) } : { keyRequest });
}

function settle<T>(result: Result<T>, done?: (value: T) => void): boolean {
  if (result.is === "answered") done?.(result.value);
  else reportRefusal(result);
  void refresh();
  return result.is === "answered";
}

/** Whether it waits for its turn now. */
export async function read(slide: Pick<Slide, "id">, mpp?: number): Promise<boolean> {
  return settle(await startReading(slide.id, mpp), replaceSlide);
}

export async function cancel(slide: Pick<Slide, "id">): Promise<void> {
  settle(await cancelReading(slide.id), replaceSlide);
}

export async function readAll(states: readonly SlideState[]): Promise<void> {
  settle(await requestAll(states));
}

/** All slides that wait for a scale, with the same one. */
export async function readWithScale(mpp: number): Promise<void> {
  settle(await requestAll(["failed"], mpp));
}

export async function setPaused(paused: boolean): Promise<void> {
  settle(await requestPause(paused));
}

export async function cancelAll(): Promise<void> {
  settle(await cancelAllReadings());
}

/** A file of the service's, saved under a name: with the key, which a plain link would not send. */
export async function download(path: string, name: string): Promise<void> {
  const result = await requestBlob(path);
  if (result.is === "answered") saveFile(result.value, name);
  else reportRefusal(result);
}
