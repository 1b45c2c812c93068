// SELECT and its clauses.
parser grammar Query;

query
    : (CTE_WITH cte (',' cte)*)?
      term (setOperator term)*
      ('ORDER' 'BY' sortItem (',' sortItem)*)?
      ('EMIT' ('CHANGES' ('EVERY' every=duration)? | 'FINAL' (gracePeriod lateInto?)?))?
      ('LIMIT' limit)?
      offset?
    ;

cte: name nameList? 'AS' QUERY_OPEN query ')';
term: select | QUERY_OPEN query ')';
setOperator: 'UNION' ('ALL' | 'DISTINCT')? | 'EXCEPT' | 'INTERSECT';

select
    : SELECT_VALUES selectItem (',' selectItem)*
    | 'SELECT' distinct? selectItem (',' selectItem)*
      'FROM' sourceReference joinedSource*
      ('WINDOW' window lateInto?)?
      ('WHERE' where=expression)?
      ('GROUP' 'BY' groups)?
      ('PARTITION' 'BY' partitionBy=grouping)?
      ('HAVING' having=expression)?
      ('WINDOW' namedWindow (',' namedWindow)*)?
      ('QUALIFY' ranked=expression)?
    ;

distinct: SELECT_DISTINCT ('ON' '(' expression (',' expression)* ')')? ('WITHIN' duration gracePeriod? lateInto?)?;
namedWindow: name 'AS' windowSpec;

sortItem: expression direction=('ASC' | 'DESC')? ('NULLS' nulls=('FIRST' | 'LAST'))?;
offset: 'OFFSET' skipped=INTEGER_VALUE 'ROWS'? ('FETCH' 'FIRST' most=INTEGER_VALUE 'ROWS' 'ONLY')?;

// `expr->*` is checked by the builder: only what `->` may follow anyway can stand before it.
selectItem
    : '*'
    | name '.' '*'
    | expression (('AS'? name) | '->' '*')?
    ;

sourceReference: relation asOf? ('AS'? alias=name nameList?)?;
relation
    : plainRelation
    | reading=('READY' | 'BROADCAST') '(' plainRelation ')'
    | CHANGES_OF '(' plainRelation ')'
    | UNNEST_OF '(' expression ')' ('WITH' 'ORDINALITY')?
    | ('TUMBLE' | 'TUMBLING') '(' plainRelation ',' 'SIZE' duration windowBounds ')'
    | ('HOP' | 'HOPPING') '(' plainRelation ',' 'SIZE' duration ',' 'ADVANCE' 'BY' duration windowBounds ')'
    | 'SESSION' '(' plainRelation ',' duration windowBounds ')'
    ;
plainRelation: name | QUERY_OPEN query ')' | VALUES_OF valuesRow ((',' | ROW_COMMA) valuesRow)*;
valuesRow: '(' expression (',' expression)* ')';
asOf: 'FOR' 'SYSTEM_TIME' 'AS' 'OF' operand;

joinedSource
    : joinKind? 'JOIN' sourceReference (within | gracePeriod)? ('ON' expression | USING_OF nameList)
    | ASOF_JOIN 'LEFT'? 'JOIN' sourceReference 'ON' expression
    | CROSS_JOIN 'JOIN' sourceReference
    ;
joinKind: 'INNER' | ('LEFT' | 'RIGHT' | 'FULL') 'OUTER'?;
within: 'WITHIN' (duration | '(' duration ',' duration ')' | 'UNBOUNDED' ('TTL' duration)?) (gracePeriod lateInto?)?;

window
    : name? ( 'TUMBLING' '(' 'SIZE' duration windowBounds ')'
            | 'HOPPING' '(' 'SIZE' duration ',' 'ADVANCE' 'BY' duration windowBounds ')'
            | 'SESSION' '(' duration windowBounds ')')
    ;
lateInto: 'LATE' 'INTO' name;
windowBounds: (',' windowTime)? (',' retention)? (',' windowTime)? (',' gracePeriod)? (',' windowTime)?;
windowTime: WINDOW_ON (name '.')? name;
retention: 'RETENTION' duration;
gracePeriod: 'GRACE' 'PERIOD' duration;
duration: INTEGER_VALUE fixedUnit;

// A list, or one list in parentheses; never a mixture.
grouping
    : operand (',' operand)*
    | '(' (operand (',' operand)*)? ')'
    ;

// As `grouping`, and sets of groups.
groups
    : operand (',' operand)* (',' groupingSets)?
    | '(' (operand (',' operand)*)? ')'
    | groupingSets
    ;
groupingSets: (ROLLUP_OF | CUBE_OF | GROUPING_OF 'SETS') '(' groupingSet (',' groupingSet)* ')';
groupingSet: '(' (operand (',' operand)*)? ')' | operand;

limit: '-'? number;
