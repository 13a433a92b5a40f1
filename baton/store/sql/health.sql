-- name: answers
SELECT true;
