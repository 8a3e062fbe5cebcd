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
  /** Decides a request as the filter in the proxy would, now or at the given time (milliseconds since 1970). */
  decide(request?: RequestDescription, now?: Date | number): Decision;
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
