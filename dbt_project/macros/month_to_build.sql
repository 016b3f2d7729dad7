{# The first day of the month that a run builds: --vars '{month: 2013-02}', or the newest there is. #}
{% macro month_to_build(flights) %}

    {%- set month = var('month', none) -%}

    {%- if month is none -%}
        (select max(flight_month) from {{ flights }})
    {%- elif modules.re.fullmatch('[0-9]{4}-(0[1-9]|1[0-2])', month | string) -%}
        date '{{ month }}-01'
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "month is '" ~ month ~ "', but a month is written 2013-02"
        ) }}
    {%- endif -%}

{% endmacro %}
