/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Instantiates the core. Await it once before anything else; in Node it has nothing to do.
 * `module` says where the core is, if not in `wasm/turquoise_preview_bg.wasm` beside this file.
 */
export default function init(
  module?: string | URL | Request | Response | BufferSource | WebAssembly.Module,
): Promise<void>;

/** A compiled document: immutable, to be asked as often as one likes. */
export class Snapshot {
  /**
   * Compiles a document, given as its text, for a proxy with this plugin configuration.
   * @throws {RefusedDocument} when the document is refused.
   * @throws {Error} when the configuration cannot be used; the message names the key and what is allowed.
   */
  constructor(document: string, config?: PluginConfiguration);
  /** What is wrong with single flags, or probably not meant. */
  problems(): Problem[];
  /** Evaluates a flag, now or at the given time (milliseconds since 1970). */
  evaluate(flag: string, context?: EvaluationContext, now?: Date | number): Evaluation;
  /** Says why a flag has the value it has, with every step that led there. */
  explain(flag: string, context?: EvaluationContext, now?: Date | number): Explanation;
  /** Decides a request as the filter in the proxy would, now or at the given time (milliseconds since 1970). */
  decide(request?: RequestDescription, now?: Date | number): Decision;
  /** Says why a request goes where it goes. */
  explainRequest(request?: RequestDescription, now?: Date | number): RequestExplanation;
  /** Gives the memory back at once. The snapshot cannot be used afterwards. */
  free(): void;
}

/** A document that was refused. */
export class RefusedDocument extends Error {
  readonly name: "RefusedDocument";
  /** Everything that is wrong; at least one has the severity `document`. */
  readonly problems: Problem[];
}

/** What is wrong with a document, whether or not it is refused. */
export function validate(document: string, config?: PluginConfiguration): Report;

export interface Report {
  refused: boolean;
  problems: Problem[];
}

export interface Problem {
  /** `document` refuses the document, `flag` makes this flag alone fail, `warning` costs nothing. */
  severity: "document" | "flag" | "warning";
  /** Where, as a JSON path such as `$.flags.checkout.targeting.if[0]`. */
  path: string;
  /** Where in the text, both counted from 1; null where it could not be found there. */
  line: number | null;
  column: number | null;
  /** What is wrong, and what would be right. */
  message: string;
}

/** The evaluation context. What JSON.stringify leaves out is left out. */
export interface EvaluationContext {
  /** What is bucketed. */
  targetingKey?: string;
  [attribute: string]: unknown;
}

export type Reason = "STATIC" | "DEFAULT" | "TARGETING_MATCH" | "DISABLED";
export type ErrorCode = "FLAG_NOT_FOUND" | "PARSE_ERROR" | "GENERAL";

/** OFREP's response object. */
export type Evaluation = Success | Failure;

export interface Success {
  key: string;
  reason: Reason;
  /** Absent where the caller's own default holds. */
  value?: Json;
  variant?: string;
  metadata?: { [key: string]: Json };
  errorCode?: undefined;
}

export interface Failure {
  key: string;
  errorCode: ErrorCode;
  errorDetails: string;
  metadata?: { [key: string]: Json };
}

/** The plugin's configuration, as the proxy has it; see Turquoise's reference. Unknown keys throw. */
export interface PluginConfiguration {
  /** All upstreams that the document may choose. */
  upstreams?: string[];
  context?: {
    targetingKey?: (
      { header: string } | { cookie: string } | { jwtClaim: string } | { anonymousCookie: string }
    )[];
    attributes?: {
      [attribute: string]: { header: string } | { cookie: string } | { query: string } | { property: string };
    };
  };
  upstreamHeader?: string;
  flagHeader?: { name?: string; flags: string[] };
  [key: string]: unknown;
}

export interface RequestDescription {
  /** `GET` when absent. */
  method?: string;
  /** The `host` header when absent. */
  host?: string;
  /** The path with its query; `/` when absent. */
  path?: string;
  /** Arrays for headers that come several times. */
  headers?: { [name: string]: string | string[] };
  /** What the proxy knows, such as `{ "source.address": "10.0.0.1:4711" }`. */
  properties?: { [name: string]: string };
}

/** How a flag was evaluated; null throughout where none was. */
export interface Choice {
  flag: string | null;
  variant: string | null;
  reason: Reason | "ERROR" | null;
  errorCode?: ErrorCode;
}

/** A decision, as `turquoise decide` prints it. The flag is the one that chose the upstream. */
export interface Decision extends Choice {
  /** The route that matched. */
  route: string | null;
  /** The gate of the route, if it has one that was asked. */
  gate?: Choice & { open: boolean };
  /** The status that a closed gate answers with; then nothing goes upstream. */
  status?: number;
  /** Where the request goes; null leaves it to the proxy's own default route. */
  upstream: string | null;
  /** What is bucketed. */
  targetingKey: string | null;
  /** The client is new: the filter would draw a random id, here it is zeros, and keep it in this cookie. */
  anonymous?: { cookie: string };
  /** What the filter sets for the upstream. */
  headers: { [name: string]: string };
}

/** Why a flag has the value it has, as `turquoise explain` prints it. */
export interface Explanation {
  flag: string;
  variant?: string;
  value?: Json;
  reason: Reason | "ERROR";
  errorCode?: ErrorCode;
  /** The reason in a sentence. */
  because: string;
  /** Every attribute that was read, in the order of reading; null where there is none. */
  attributes?: { name: string; value: Json }[];
  /** The rule, if one was evaluated. */
  rule?: Step;
}

/** A part of a rule that was evaluated. */
export interface Step {
  /** Where it stands in the flag, such as `targeting.if[0]`. */
  path: string;
  /** Absent for a value that the document spells out. */
  operator?: string;
  /** The attribute that it read. */
  attribute?: string;
  /** What it gave; absent when it failed. A number that JSON does not have is its text: `NaN`, `Infinity`, `-Infinity`. */
  value?: Json;
  /** Of a condition, whether it holds. */
  holds?: boolean;
  /** Why it failed. */
  error?: string;
  /** What decided, such as the branch that was taken. */
  because?: string;
  /** Who is where, for what places keys. */
  bucketing?: Bucketing;
  /** The flag that it asked for. */
  prerequisite?: Explanation;
  /** The arguments that were evaluated, in that order. */
  steps?: Step[];
}

/** How a key was placed among shares. */
export interface Bucketing {
  by: string;
  key: Json;
  algorithm: string;
  hash: string;
  /** The place, in percent of the whole. */
  percent: number;
  /** The place as a whole number, and out of how many. */
  place?: [number, number];
  shares?: { variant: Json; from: number; to: number; percent: number; here: boolean }[];
  /** How high a ramp is. */
  height?: { percent: number; at: string; between: [[string, number] | null, [string, number] | null] };
}

/** Why a request goes where it goes. */
export interface RequestExplanation {
  /** The method, the host and the path. */
  request: [string, string, string];
  targetingKey: { value: string | null; from: string };
  /** The routes up to the one that matches, or all of them; `moreRoutes` says how many were left out. */
  routes: { name: string; matches: boolean; because: string }[];
  moreRoutes?: number;
  route: string | null;
  gate?: { open: boolean; status: number; flag: Explanation };
  /** The flag that chooses the upstream, unless the gate is closed. */
  flag?: Explanation;
  upstream: string | null;
}
