import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { PredictOutcome, PredictHandlers, PredictFields } from "../api/predict";
import { keyHeaders } from "../api/key";
import type { Health } from "../api/types";
import { prediction, problem, tile } from "./fixtures";
import type { Item, Phase } from "./item";
import { cancel, cancelAll, sendWaiting, retry, retryAll, submitKey } from "./queue";
import { checkHealthNow } from "./health";
import { itemOf, positionInQueue, setState, useSession } from "./store";
import { MAX_RESENDS } from "./transition";

interface Sent {
  picture: Blob;
  fields: PredictFields;
  handlers: PredictHandlers;
  stopped: boolean;
}

const sent = vi.hoisted((): Sent[] => []);

vi.mock("../api/predict", () => ({
  requestPrediction: (picture: Blob, fields: PredictFields, handlers: PredictHandlers) => {
    const request: Sent = { picture, fields, handlers, stopped: false };
    sent.push(request);
    return () => {
      request.stopped = true;
    };
  },
}));
vi.mock("./health", () => ({ checkHealthNow: vi.fn() }));

const READY = { ready: true } as Health;
const PASSING = problem(503, "model_stalled", { retryable: true });
const passing: PredictOutcome = { is: "refused", problem: PASSING, retryAfter: 5 };

function begin(...items: Item[]): void {
  setState({ ...useSession.getInitialState(), items, health: READY, connection: "reached" });
  sendWaiting();
}

const phases = (): Phase["is"][] => useSession.getState().items.map((item) => item.phase.is);
const phase = (id: string): Phase | undefined => itemOf(id)?.phase;
const failure = (id: string): string | undefined => {
  const now = phase(id);
  return now?.is === "failed" ? now.failure.code : undefined;
};

/** The newest request. */
function last(): Sent {
  const request = sent.at(-1);
  if (!request) throw new Error("nothing was sent");
  return request;
}

const end = (outcome: PredictOutcome, request: Sent = last()): void => {
  request.handlers.onSettled(outcome);
};
const answer = (request?: Sent): void => {
  end({ is: "answered", answer: prediction() }, request);
};

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  vi.mocked(checkHealthNow).mockClear();
  sent.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

describe("one tile's way", () => {
  it("goes from the queue to the service, its verdict, its explanation and its answer", () => {
    begin(tile("a"));
    expect(phase("a")).toEqual({ is: "uploading", share: 0 });
    last().handlers.onUploadProgress(0.5);
    expect(phase("a")).toEqual({ is: "uploading", share: 0.5 });
    vi.setSystemTime(1000);
    last().handlers.onUploaded();
    expect(phase("a")).toEqual({ is: "processing", since: 1000 });
    last().handlers.onUploadProgress(1); // late, and no step back
    last().handlers.onQueued(2);
    expect(phase("a")).toEqual({ is: "queued", position: 2 });
    vi.setSystemTime(3000);
    last().handlers.onQueued(0);
    expect(phase("a")).toEqual({ is: "processing", since: 3000 });
    const whole = prediction({ explanation: "Read as no cancer." });
    last().handlers.onVerdict(whole);
    expect(phase("a")).toEqual({ is: "explaining" });
    expect(itemOf("a")?.verdict?.verdict).toBe("no");
    last().handlers.onExplanation("Read as ");
    last().handlers.onExplanation("no cancer.");
    expect(itemOf("a")?.explanation).toBe("Read as no cancer.");
    end({ is: "answered", answer: whole });
    expect(phase("a")).toEqual({ is: "done" });
    expect(itemOf("a")?.answer).toEqual(whole);
  });

  it("is refused for good where the picture is at fault, and not offered to be tried again", () => {
    begin(tile("a"));
    const reasons = [{ code: "no_tissue", measured: 0, threshold: 1, sentence: "Bare glass." }];
    end({ is: "refused", problem: problem(422, "image_not_assessable", { reasons }) });
    expect(phase("a")).toEqual({
      is: "failed",
      failure: {
        code: "image_not_assessable",
        title: "Title of image_not_assessable",
        detail: "Detail of image_not_assessable.",
        canRetry: false,
        reasons,
      },
    });
    vi.advanceTimersByTime(3_600_000);
    expect(sent).toHaveLength(1);
  });

  it("is not sent again by itself where the service is broken, but a person may", () => {
    begin(tile("a"), tile("b"), tile("c"));
    end({ is: "refused", problem: problem(503, "model_unsound") }, sent[0]);
    expect(phase("a")).toMatchObject({
      is: "failed",
      failure: { code: "model_unsound", canRetry: true },
    });
    expect(useSession.getState().pause).toBeNull();
    expect(phases()).toEqual(["failed", "uploading", "uploading"]);
    vi.advanceTimersByTime(3_600_000);
    expect(sent).toHaveLength(3);
  });

  it("shows nothing of what something between answered", () => {
    begin(tile("a"));
    end({ is: "refused", problem: problem(502, "http_502", { detail: "", title: "" }) });
    expect(phase("a")).toMatchObject({
      is: "failed",
      failure: { code: "http_502", canRetry: true },
    });
  });
});

describe("the queue", () => {
  it("has two tiles under way, and sends the next as one ends", () => {
    begin(tile("a"), tile("b"), tile("c"), tile("d"));
    expect(phases()).toEqual(["uploading", "uploading", "waiting", "waiting"]);
    expect([positionInQueue("c"), positionInQueue("d")]).toEqual([1, 2]);
    answer(sent[1]);
    expect(phases()).toEqual(["uploading", "done", "uploading", "waiting"]);
  });

  it.each([
    ["is not ready", { health: { ready: false } as Health }],
    ["has not answered yet", { health: null }],
    ["is lost", { connection: "lost" as const }],
    ["wants a key", { keyRequest: "Type your key." }],
    ["told to wait", { pause: { until: 1, why: "Busy." } }],
  ])("stands while the service %s", (_, state) => {
    setState({
      ...useSession.getInitialState(),
      items: [tile("a")],
      health: READY,
      connection: "reached",
      ...state,
    });
    sendWaiting();
    expect(phases()).toEqual(["waiting"]);
    setState({ health: READY, connection: "reached", keyRequest: null, pause: null });
    sendWaiting();
    expect(phases()).toEqual(["uploading"]);
  });

  it("leaves alone what is still being checked", () => {
    begin(tile("a", { phase: { is: "checking" } }));
    expect(sent).toHaveLength(0);
  });
});

describe("a passing failure", () => {
  it("is waited out and sent again, unasked", () => {
    begin(tile("a"));
    end(passing);
    expect(phase("a")).toEqual({ is: "waiting" });
    expect(useSession.getState().pause).toEqual({ until: 5000, why: "Detail of model_stalled." });
    vi.advanceTimersByTime(4999);
    expect(sent).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sent).toHaveLength(2);
    expect(useSession.getState().pause).toBeNull();
    answer();
    expect(phase("a")).toEqual({ is: "done" });
  });

  it("is not sent more often than it may, and then offered to be tried again", () => {
    begin(tile("a"));
    for (let time = 0; time <= MAX_RESENDS; time += 1) {
      expect(sent).toHaveLength(time + 1);
      end(passing);
      vi.advanceTimersByTime(60_000);
    }
    expect(phase("a")).toMatchObject({
      is: "failed",
      failure: { code: "model_stalled", title: "Not answered after 9 tries", canRetry: true },
    });
    vi.advanceTimersByTime(3_600_000);
    expect(sent).toHaveLength(MAX_RESENDS + 1);
    retry("a");
    expect(itemOf("a")).toMatchObject({ phase: { is: "uploading" }, resends: 0 });
  });

  it("makes each wait longer than the last, up to a minute, and never shorter than Retry-After", () => {
    begin(tile("a"));
    const waits = Array.from({ length: MAX_RESENDS }, () => {
      const before = Date.now();
      end(passing);
      const { pause } = useSession.getState();
      vi.advanceTimersByTime(60_000);
      return ((pause?.until ?? 0) - before) / 1000;
    });
    expect(waits).toEqual([5, 5, 5, 8, 16, 32, 60, 60]);
    end({ ...passing, retryAfter: 300 });
    expect(useSession.getState().pause?.until).toBe(Date.now() + 300_000);
  });

  it("does not hold up the tiles behind it", () => {
    begin(tile("a"), tile("b"), tile("c"));
    end(passing, sent[0]);
    answer(sent[1]);
    expect(phases()).toEqual(["waiting", "done", "waiting"]);
    expect([positionInQueue("c"), positionInQueue("a")]).toEqual([1, 2]);
    vi.advanceTimersByTime(5000);
    expect(sent[2]?.picture).toBe(itemOf("c")?.file);
    answer(sent[2]);
    expect(phases()).toEqual(["uploading", "done", "done"]);
  });

  it("of two tiles is waited out for as long as the longer pause", () => {
    begin(tile("a"), tile("b"));
    end({ ...passing, retryAfter: 30 }, sent[0]);
    end({ ...passing, retryAfter: 5 }, sent[1]);
    vi.advanceTimersByTime(29_999);
    expect(sent).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(sent).toHaveLength(4);
  });

  it("after the verdict leaves the verdict standing, and confirms with a person before it is thrown away", () => {
    begin(tile("a"));
    last().handlers.onVerdict(prediction());
    end(passing);
    expect(failure("a")).toBe("model_stalled");
    expect(itemOf("a")?.verdict?.verdict).toBe("no");
    expect(useSession.getState().pause).toBeNull();
  });
});

describe("a lost connection", () => {
  it("stops the queue, checks the service's health, and sends the tile again once it answers", () => {
    begin(tile("a"), tile("b"), tile("c"));
    end({ is: "lost" }, sent[0]);
    expect(useSession.getState().connection).toBe("lost");
    expect(checkHealthNow).toHaveBeenCalledOnce();
    expect(phases()).toEqual(["waiting", "uploading", "waiting"]);
    setState({ connection: "reached" });
    sendWaiting();
    expect(phases()).toEqual(["uploading", "uploading", "waiting"]);
  });

  it("twice for the same tile is its end", () => {
    begin(tile("a"));
    end({ is: "lost" });
    setState({ connection: "reached" });
    sendWaiting();
    end({ is: "lost" });
    expect(phase("a")).toMatchObject({ is: "failed", failure: { code: "lost", canRetry: true } });
  });

  it("after the verdict costs the explanation alone", () => {
    begin(tile("a"));
    last().handlers.onVerdict(prediction({ verdict: "yes", probability: 0.9 }));
    end({ is: "lost" });
    expect(phase("a")).toMatchObject({
      is: "failed",
      failure: { title: "The explanation did not arrive" },
    });
    expect(itemOf("a")?.verdict?.verdict).toBe("yes");
  });
});

describe("an API key", () => {
  it.each(["credentials_missing", "key_rejected", "key_expired"])("is requested: %s", (code) => {
    begin(tile("a"), tile("b"));
    end({ is: "refused", problem: problem(401, code) }, sent[0]);
    expect(phase("a")).toEqual({ is: "waiting" });
    expect(useSession.getState().keyRequest).not.toBeNull();
    answer(sent[1]);
    expect(sent).toHaveLength(2);
    submitKey("hk_right");
    expect(keyHeaders()).toEqual({ "X-API-Key": "hk_right" });
    expect(useSession.getState().keyRequest).toBeNull();
    expect(sent).toHaveLength(3);
    answer();
    expect(phases()).toEqual(["done", "done"]);
  });
});

describe("a person", () => {
  it("cancels a tile under way: it is stopped, and the next one goes", () => {
    begin(tile("a"), tile("b"), tile("c"));
    cancel("a");
    expect(sent[0]?.stopped).toBe(true);
    expect(phases()).toEqual(["cancelled", "uploading", "uploading"]);
  });

  it("cancels all, and nothing is sent any more", () => {
    begin(
      tile("a"),
      tile("b"),
      tile("c"),
      tile("d", { phase: { is: "done" } }),
      tile("e", { phase: { is: "checking" } }),
    );
    cancelAll();
    expect(phases()).toEqual(["cancelled", "cancelled", "cancelled", "done", "cancelled"]);
    expect(sent.map((request) => request.stopped)).toEqual([true, true]);
    expect(sent).toHaveLength(2);
  });

  it("has a refused picture answered anyway", () => {
    begin(tile("a"));
    end({ is: "refused", problem: problem(422, "image_not_assessable") });
    retry("a", "warn");
    expect(last().fields.gate).toBe("warn");
    expect(itemOf("a")?.gate).toBe("warn");
  });

  it("sends a tile again: the former answer is gone, a mark with it, the note is not", () => {
    begin(tile("a", { review: { mark: "agree", note: "glands" } }));
    last().handlers.onVerdict(prediction());
    last().handlers.onExplanation("Read as");
    end({ is: "lost" });
    setState({ connection: "reached" });
    retry("a");
    expect(itemOf("a")).toMatchObject({
      phase: { is: "uploading" },
      explanation: "",
      losses: 0,
      review: { mark: null, note: "glands" },
    });
    expect(itemOf("a")?.verdict).toBeUndefined();
    expect(itemOf("a")?.answer).toBeUndefined();
  });

  it("sends again all that can end otherwise, and about no other", () => {
    const failed = (code: string, canRetry: boolean): Partial<Item> => ({
      phase: { is: "failed", failure: { code, title: "", detail: "", canRetry } },
    });
    begin(
      tile("a", failed("lost", true)),
      tile("b", failed("not_an_image", false)),
      tile("c", { phase: { is: "cancelled" } }),
      tile("d", { phase: { is: "done" } }),
      tile("e", failed("model_unsound", true)),
    );
    retryAll();
    expect(phases()).toEqual(["uploading", "failed", "uploading", "done", "waiting"]);
  });
});
