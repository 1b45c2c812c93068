// Names, and the keywords that may be names without quotes.
parser grammar Name;

name
    : IDENTIFIER
    | DIGIT_IDENTIFIER
    | QUOTED_IDENTIFIER
    | BACKQUOTED_IDENTIFIER
    | freeWord
    ;

unit: 'YEAR' | 'YEARS' | 'MONTH' | 'MONTHS' | fixedUnit;

// Units that are always equally long, as durations need them.
fixedUnit
    : 'DAY' | 'DAYS' | 'HOUR' | 'HOURS' | 'MINUTE' | 'MINUTES' | 'SECOND' | 'SECONDS' | 'MILLISECOND' | 'MILLISECONDS'
    ;

freeWord
    : unit
    | 'ADD' | 'ALTER' | 'ANALYZE' | 'ARRAY' | 'ASSERT' | 'CHANGES' | 'COLUMN' | 'COLUMNS' | 'DATE' | 'EMIT'
    | 'ESCAPE' | 'EXPLAIN' | 'FINAL' | 'FUNCTION' | 'FUNCTIONS' | 'GRACE' | 'HEADER' | 'HEADERS' | 'ID' | 'IF'
    | 'INTEGER' | 'INTERVAL' | 'KEY' | 'MAP' | 'PARTITION' | 'PARTITIONS' | 'PERIOD' | 'PLUGINS' | 'PRIMARY'
    | 'REPLACE' | 'RESET' | 'SCHEMA' | 'SESSION' | 'SET' | 'SHOW' | 'SINK' | 'SOURCE' | 'STRING' | 'STRUCT'
    | 'SUBJECT' | 'SYSTEM' | 'TABLES' | 'TIME' | 'TIMEOUT' | 'TIMESTAMP' | 'TOPIC' | 'TYPE' | 'TYPES' | 'VARIABLES'
    | 'ZONE'
    | 'ORDER' | 'ASC' | 'DESC' | 'NULLS' | 'FIRST' | 'LAST' | 'OFFSET' | 'ROWS' | 'FETCH' | 'ONLY' | 'UPSERT' | 'UPDATE'
    | 'ONCE' | 'UNBOUNDED' | 'TTL' | 'READY' | 'BROADCAST' | 'FOR' | 'SYSTEM_TIME' | 'OF'
    | 'UNION' | 'VIEW' | 'VIEWS' | 'INDEX' | 'INDEXES' | 'TUMBLE' | 'HOP' | 'LATE' | 'EVERY'
    | 'QUALIFY' | 'OVER' | 'FILTER' | 'RANGE' | 'PRECEDING' | 'FOLLOWING' | 'CURRENT' | 'ROW' | 'IGNORE' | 'RESPECT'
    | 'GROUPING' | 'SETS' | 'ROLLUP' | 'CUBE' | 'RETURNS' | 'UNNEST' | 'ORDINALITY' | 'CROSS'
    | 'ASOF' | 'USING' | 'EXCEPT' | 'INTERSECT'
    ;
