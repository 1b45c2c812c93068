// Expressions in three layers: truth values, comparisons, operands. Grouping clauses take operands, so
// a condition there needs parentheses. Within a rule, earlier alternatives bind tighter.
parser grammar Expression;

expression
    : 'NOT' expression              # negation
    | expression 'AND' expression   # conjunction
    | expression 'OR' expression    # disjunction
    | predicate                     # plainPredicate
    ;

predicate: operand condition?;

condition
    : comparator operand                                        # comparison
    | 'NOT'? 'BETWEEN' low=operand 'AND' high=operand           # between
    | 'NOT'? 'IN' '(' expression (',' expression)* ')'          # membership
    | 'NOT'? 'IN' QUERY_OPEN query ')'                          # queryMembership
    | 'NOT'? 'LIKE' operand ('ESCAPE' STRING)?                  # like
    | 'IS' 'NOT'? 'NULL'                                        # nullTest
    | 'IS' 'NOT'? 'DISTINCT' 'FROM' operand                     # distinctTest
    ;

comparator: '=' | '<>' | '!=' | '<' | '<=' | '>' | '>=';

operand
    : sign=('+' | '-') operand                                  # signed
    | left=operand op=('*' | '/' | '%') right=operand           # product
    | left=operand op=('+' | '-' | '||') right=operand          # sum
    | primary                                                   # plainOperand
    ;

primary
    : literal                                                   # literalPrimary
    | 'CASE' subject=expression? whenClause+ ('ELSE' otherwise=expression)? 'END'   # caseExpression
    | 'CAST' '(' expression 'AS' dataType ')'                   # cast
    | 'ARRAY' '[' (expression (',' expression)*)? ']'           # arrayConstructor
    | 'MAP' '(' (mapEntry (',' mapEntry)*)? ')'                 # mapConstructor
    | 'STRUCT' '(' (structEntry (',' structEntry)*)? ')'        # structConstructor
    | name '(' ('*' | CALL_DISTINCT? argument (',' argument)*)? callOrder? ')' nullTreatment? filter? over?   # call
    | name ('.' name)?                                          # columnReference
    | primary '[' operand ']'                                   # subscript
    | primary '->' name                                         # fieldAccess
    | primary 'AT' 'TIME' 'ZONE' primary                        # atTimeZone
    | '(' expression ')'                                        # parenthesized
    | EXISTS_QUERY QUERY_OPEN query ')'                         # exists
    | QUERY_OPEN query ')'                                      # scalarQuery
    | INTERVAL_OF (STRING | INTEGER_VALUE) unit                 # interval
    ;

whenClause: 'WHEN' expression 'THEN' expression;
mapEntry: expression ':=' expression;
structEntry: name ':=' expression;

// What a call of an aggregate or of a function over a window may have.
callOrder: 'ORDER' 'BY' sortItem (',' sortItem)* ('LIMIT' INTEGER_VALUE)? | 'LIMIT' INTEGER_VALUE;
nullTreatment: kind=('IGNORE' | 'RESPECT') 'NULLS';
filter: 'FILTER' '(' 'WHERE' expression ')';
over: 'OVER' (windowSpec | name);
windowSpec: '(' base=name? ('PARTITION' 'BY' expression (',' expression)*)? ('ORDER' 'BY' sortItem (',' sortItem)*)? frame? ')';
frame: unit_=('ROWS' | 'RANGE') (bound | 'BETWEEN' bound 'AND' bound);
bound
    : 'UNBOUNDED' direction=('PRECEDING' | 'FOLLOWING')
    | (duration | INTEGER_VALUE | DECIMAL_VALUE) direction=('PRECEDING' | 'FOLLOWING')
    | 'CURRENT' 'ROW'
    ;

// A lone unit of time is a unit: DATEADD(DAYS, 1, d).
argument
    : unit
    | lambda
    | expression
    ;
lambda: (name | '(' name (',' name)* ')') '=>' expression;

literal
    : 'NULL'
    | 'TRUE'
    | 'FALSE'
    | number
    | STRING
    ;
number: INTEGER_VALUE | DECIMAL_VALUE | FLOATING_POINT_VALUE;
