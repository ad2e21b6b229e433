/** The part of JSON Schema that the configuration uses. */
export interface Node {
  type?: string | string[];
  description?: string;
  default?: unknown;
  examples?: unknown[];
  /** Unit of a number, if it has one. */
  unit?: string;
  /** Whether the value cannot be an Output. */
  plain?: boolean;
  /** Whether its values are secret. */
  secret?: true;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Node>;
  required?: string[];
  additionalProperties?: Node | boolean;
  items?: Node;
  anyOf?: Node[];
}
