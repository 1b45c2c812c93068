// CREATE, ALTER and DROP of streams, tables, views, indexes, functions, types and connectors.
parser grammar Definition;

createSource
    : 'CREATE' orReplace? readOnly='SOURCE'? sourceKind ifNotExists? name
      (columnList withClause? | withClause? ('AS' query)?)
    ;

orReplace: 'OR' 'REPLACE';
ifNotExists: 'IF' 'NOT' 'EXISTS';
ifExists: 'IF' 'EXISTS';
sourceKind: 'STREAM' | 'TABLE';

columnList: '(' columnDefinition (',' columnDefinition)* ')';
columnDefinition: name dataType columnRole?;
columnRole
    : 'PRIMARY'? 'KEY'
    | 'HEADERS'
    | 'HEADER' '(' STRING ')'
    ;

withClause: 'WITH' '(' property (',' property)* ')';
property: (name | STRING) '=' propertyValue;
propertyValue: '-'? number | literal;

alterSource: 'ALTER' sourceKind name addColumn (',' addColumn)*;
addColumn: 'ADD' 'COLUMN'? name dataType;

dropSource: 'DROP' sourceKind ifExists? name ('DELETE' 'TOPIC')?;

createView: 'CREATE' orReplace? 'VIEW' name nameList? 'AS' query;
dropView: 'DROP' 'VIEW' ifExists? name;

createIndex: 'CREATE' 'INDEX' ifNotExists? name 'ON' name '(' sortItem (',' sortItem)* ')';
dropIndex: 'DROP' 'INDEX' ifExists? name;

createFunction: 'CREATE' orReplace? FUNCTION_NAME ifNotExists? name '(' (parameter (',' parameter)*)? ')' 'RETURNS' dataType 'AS' expression;
parameter: name dataType;
dropFunction: 'DROP' FUNCTION_NAME ifExists? name;

createType: 'CREATE' 'TYPE' ifNotExists? name 'AS' dataType;
dropType: 'DROP' 'TYPE' ifExists? name;

createConnector: 'CREATE' connectorKind 'CONNECTOR' ifNotExists? name withClause;
dropConnector: 'DROP' 'CONNECTOR' ifExists? name;
connectorKind: 'SOURCE' | 'SINK';
