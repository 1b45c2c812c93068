// Types as columns and casts name them.
parser grammar DataType;

dataType
    : 'ARRAY' '<' dataType '>'                                  # arrayType
    | 'MAP' '<' dataType ',' dataType '>'                       # mapType
    | 'STRUCT' ('<>' | '<' '>' | '<' structField (',' structField)* '>')  # structType
    | name ('(' typeParameter (',' typeParameter)* ')')?        # namedType
    ;

structField: name dataType;
typeParameter: INTEGER_VALUE | 'STRING';
