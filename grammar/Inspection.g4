// PRINT, SHOW, DESCRIBE and EXPLAIN.
parser grammar Inspection;

print
    : 'PRINT' topicName ('FROM' 'BEGINNING')? (('INTERVAL' | 'SAMPLE') interval=INTEGER_VALUE)? ('LIMIT' most=INTEGER_VALUE)?
    ;
topicName: name | STRING;

show: ('SHOW' | 'LIST') showTarget;
showTarget
    : sources=('STREAMS' | 'TABLES') 'EXTENDED'?
    | 'ALL'? 'TOPICS' 'EXTENDED'?
    | 'QUERIES' 'EXTENDED'?
    | 'FUNCTIONS'
    | 'PROPERTIES'
    | 'TYPES'
    | 'VIEWS'
    | 'INDEXES'
    | 'VARIABLES'
    | connectorKind? 'CONNECTORS'
    | 'CONNECTOR' 'PLUGINS'
    ;

describe
    : 'DESCRIBE' ( 'STREAMS' 'EXTENDED'?
                 | 'FUNCTION' name
                 | 'CONNECTOR' name
                 | name 'EXTENDED'?)
    ;

explain: 'EXPLAIN' 'ANALYZE'? (statement | name);
