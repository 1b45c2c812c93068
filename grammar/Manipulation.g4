// INSERT in both forms.
parser grammar Manipulation;

insert: 'INSERT' 'INTO' name (withClause? query | nameList? 'VALUES' valueList);
nameList: '(' name (',' name)* ')';
valueList: '(' expression (',' expression)* ')';
