// Running queries, properties and variables.
parser grammar Control;

controlQuery: ('TERMINATE' | 'PAUSE' | 'RESUME') ('ALL' | name);

setProperty: 'SET' key=STRING '=' val=STRING;
unsetProperty: 'UNSET' STRING;
alterSystem: 'ALTER' 'SYSTEM' key=STRING '=' val=STRING;

defineVariable: 'DEFINE' name '=' STRING;
undefineVariable: 'UNDEFINE' name;
