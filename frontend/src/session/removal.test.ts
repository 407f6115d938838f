import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { PredictHandlers, PredictFields } from "../api/predict";
import type { Health } from "../api/types";
import { prediction, tile } from "./fixtures";
import type { Item } from "./item";
import { sendWaiting } from "./queue";
import { removeTiles, discardRemoved, undoRemoval } from "./removal";
import { itemOf, select, setState, useSession } from "./store";

const sent = vi.hoisted((): { handlers: PredictHandlers; stopped: boolean }[] => []);
const createPreview = vi.hoisted(() => vi.fn(() => Promise.resolve(null)));

vi.mock("../api/predict", () => ({
  requestPrediction: (_picture: Blob, _fields: PredictFields, handlers: PredictHandlers) => {
    const request = { handlers, stopped: false };
    sent.push(request);
    return () => {
      request.stopped = true;
    };
  },
}));
vi.mock("./health", () => ({ checkHealthNow: vi.fn() }));
vi.mock("../intake/preview", () => ({ createPreview: createPreview }));

const finished = (id: string): Item =>
  tile(id, {
    phase: { is: "done" },
    verdict: prediction(),
    answer: prediction(),
    drawable: null,
    thumbnail: `blob:${id}`,
  });
const ids = (): string[] => useSession.getState().items.map((item) => item.id);
const revoked = vi.fn();

beforeEach(() => {
  sent.length = 0;
  createPreview.mockClear();
  revoked.mockClear();
  vi.stubGlobal("URL", { revokeObjectURL: revoked });
  setState({
    ...useSession.getInitialState(),
    health: { ready: true } as Health,
    connection: "reached",
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a removed tile", () => {
  it("comes back where it stood, with its answer, its mark and what is compared with it", () => {
    const marked = { ...finished("b"), review: { mark: "agree" as const, note: "glands" } };
    setState({ items: [finished("a"), marked, finished("c")], pinned: "b" });
    select("b");
    removeTiles(["b"]);
    expect(ids()).toEqual(["a", "c"]);
    expect(useSession.getState()).toMatchObject({ selected: "c", pinned: null });
    undoRemoval();
    expect(ids()).toEqual(["a", "b", "c"]);
    expect(itemOf("b")).toEqual(marked);
    expect(useSession.getState()).toMatchObject({ selected: "b", pinned: "b", removal: null });
    expect(sent).toHaveLength(0);
    expect(revoked).not.toHaveBeenCalled();
  });

  it("is stopped while it is under way, and sent again when it comes back", () => {
    setState({ items: [tile("a", { drawable: null })] });
    sendWaiting();
    sent[0]?.handlers.onUploaded();
    removeTiles(["a"]);
    expect(sent[0]?.stopped).toBe(true);
    undoRemoval();
    expect(itemOf("a")?.phase).toEqual({ is: "uploading", share: 0 });
    expect(sent).toHaveLength(2);
  });

  it("keeps the verdict that it had, without its explanation", () => {
    setState({ items: [tile("a", { drawable: null })] });
    sendWaiting();
    sent[0]?.handlers.onVerdict(prediction());
    removeTiles(["a"]);
    undoRemoval();
    expect(itemOf("a")).toMatchObject({ phase: { is: "cancelled" }, verdict: { verdict: "no" } });
    expect(sent).toHaveLength(1);
  });

  it("that was not checked yet is checked, drawn and sent when it comes back", async () => {
    setState({ items: [tile("a", { phase: { is: "checking" } })] });
    removeTiles(["a"]);
    undoRemoval();
    await vi.waitFor(() => {
      expect(itemOf("a")?.drawable).toBeNull();
    });
    expect(createPreview).toHaveBeenCalledOnce();
    expect(itemOf("a")).toMatchObject({
      phase: { is: "uploading" },
      digest: "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    });
  });

  it("is forgotten for good once others are removed, or the message is closed", () => {
    setState({ items: [finished("a"), finished("b")] });
    removeTiles(["a"]);
    removeTiles(["b"]);
    expect(revoked.mock.calls).toEqual([["blob:a"]]);
    discardRemoved();
    expect(revoked.mock.calls).toEqual([["blob:a"], ["blob:b"]]);
    undoRemoval();
    expect(ids()).toEqual([]);
  });
});

it("a cleared worklist comes back in its order, before what was added meanwhile", () => {
  setState({ items: [finished("a"), finished("b"), finished("c")] });
  removeTiles(["a", "b", "c"]);
  expect(useSession.getState()).toMatchObject({ items: [], selected: null, showsDetail: false });
  setState({ items: [finished("d")] });
  undoRemoval();
  expect(ids()).toEqual(["a", "b", "c", "d"]);
});
