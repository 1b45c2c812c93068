// Statements that change rows.
parser grammar Manipulation;

insert
    : 'INSERT' 'INTO' name ( withClause? query
                           | 'ONCE' query
                           | nameList? 'VALUES' valueList (ROW_COMMA valueList)*)
    ;

insertBranches: 'INSERT' kind=('FIRST' | 'ALL') insertBranch+ ('ELSE' branchTarget)? query;
insertBranch: 'WHEN' expression 'THEN' branchTarget;
branchTarget: 'INTO' name '(' selectItem (',' selectItem)* ')';

nameList: '(' name (',' name)* ')';
valueList: '(' expression (',' expression)* ')';

upsert: 'UPSERT' 'INTO' name nameList 'VALUES' valueList (ROW_COMMA valueList)*;
update: 'UPDATE' name 'SET' assignment (',' assignment)* ('WHERE' expression)?;
assignment: name '=' expression;
deleteRows: DELETE_ROWS 'FROM' name ('WHERE' expression)?;
