// Statements that change rows.
parser grammar Manipulation;

insert
    : 'INSERT' 'INTO' name ( withClause? query
                           | 'ONCE' query
                           | nameList? 'VALUES' valueList (ROW_COMMA valueList)*)
    ;
nameList: '(' name (',' name)* ')';
valueList: '(' expression (',' expression)* ')';

upsert: 'UPSERT' 'INTO' name nameList 'VALUES' valueList (ROW_COMMA valueList)*;
update: 'UPDATE' name 'SET' assignment (',' assignment)* ('WHERE' expression)?;
assignment: name '=' expression;
deleteRows: DELETE_ROWS 'FROM' name ('WHERE' expression)?;
