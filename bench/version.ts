/** Of a record's lines. Raised when a field changes its meaning or goes; new fields do not raise it. */
export const VERSION = 2;
